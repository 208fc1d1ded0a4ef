package main

import (
	"errors"
	"net/http"
	"time"
)

// podLog is a container's log as an API server sends it: that many lines of that many bytes each, one in a thousand of them an
// ERROR. Lines come in blocks of one instant, the first at First, then one every EveryMS.
type podLog struct {
	Lines   int64     `json:"lines"`
	Bytes   int       `json:"bytes"`
	First   time.Time `json:"first"`
	EveryMS int64     `json:"every_ms"`
}

const (
	stampLayout   = "2006-01-02T15:04:05.000000000Z"
	linesPerBlock = 500
	errorEvery    = 1000
)

func (l *podLog) UnmarshalJSON(text []byte) error {
	type plain podLog
	if err := strict(text, (*plain)(l)); err != nil {
		return err
	}
	if l.Lines < 1 || l.Bytes < 16 {
		return errors.New("a log has lines, of 16 bytes at least")
	}
	return nil
}

// write sends the log, with the time in front of each line where the request wants it.
func (l *podLog) write(w http.ResponseWriter, request *http.Request) {
	stamp := 0
	if request.URL.Query().Get("timestamps") == "true" {
		stamp = len(stampLayout) + 1
	}
	width := stamp + l.Bytes + 1
	// Two blocks, of which the second begins with an ERROR: together they are one round of lines.
	block := make([]byte, linesPerBlock*width)
	for at := 0; at < len(block); at += width {
		for i := range block[at : at+width] {
			block[at+i] = 'x'
		}
		if stamp > 0 {
			block[at+stamp-1] = ' '
		}
		copy(block[at+stamp:], "INFO  request ")
		block[at+width-1] = '\n'
	}
	const rounds = errorEvery / linesPerBlock
	left, now := l.Lines, l.First.UTC()
	for number := int64(0); left > 0; number++ {
		if stamp > 0 {
			text := now.Format(stampLayout)
			for at := 0; at < len(block); at += width {
				copy(block[at:], text)
			}
			now = now.Add(time.Duration(l.EveryMS) * time.Millisecond)
		}
		level := "INFO "
		if number%rounds == rounds-1 {
			level = "ERROR"
		}
		copy(block[stamp:], level)
		count := min(left, linesPerBlock)
		if _, err := w.Write(block[:count*int64(width)]); err != nil {
			return
		}
		left -= count
	}
}
