package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// response is one answer that a slot, or the webhook receiver, gives.
type response struct {
	Status    int               `json:"status"`
	LatencyMS int               `json:"latency_ms"`
	Headers   map[string]string `json:"headers"`
	Body      string            `json:"body"`
	BodyBytes int64             `json:"body_bytes"`
	Log       *podLog           `json:"log"`
	Hang      bool              `json:"hang"`
	Close     bool              `json:"close"`
	Redirect  string            `json:"redirect"`
}

// answers are the responses of one route: one JSON object, or a list that is played once, whose last entry repeats.
type answers struct {
	mu   sync.Mutex
	list []response
	next int
}

func (a *answers) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		a.list = make([]response, 1)
		return strict(text, &a.list[0])
	}
	if err := strict(text, &a.list); err != nil {
		return err
	}
	if len(a.list) == 0 {
		return errors.New("a list of answers needs at least one")
	}
	return nil
}

// strict reads JSON and refuses names that it does not know: a misspelt one must not leave a test testing nothing.
func strict(text []byte, value any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(value)
}

// take returns the response for this request; peek the one that the next request will get.
func (a *answers) take() response {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := a.list[a.next]
	if a.next < len(a.list)-1 {
		a.next++
	}
	return answer
}

func (a *answers) peek() response {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.list[a.next]
}

// write answers the request, whose body has been read. It returns early when the client goes away.
func (r response) write(w http.ResponseWriter, request *http.Request) {
	gone := request.Context().Done()
	if r.LatencyMS > 0 {
		select {
		case <-time.After(time.Duration(r.LatencyMS) * time.Millisecond):
		case <-gone:
			return
		}
	}
	if r.Hang {
		<-gone
		return
	}
	if r.Close {
		if connection, _, err := w.(http.Hijacker).Hijack(); err == nil {
			connection.Close()
		}
		return
	}
	for name, value := range r.Headers {
		w.Header().Set(name, value)
	}
	status := r.Status
	if r.Redirect != "" {
		w.Header().Set("Location", r.Redirect)
		if status == 0 {
			status = http.StatusFound
		}
	}
	if status == 0 {
		status = http.StatusOK
	}
	if w.Header().Get("Content-Type") == "" && json.Valid([]byte(r.Body)) {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	if r.BodyBytes > 0 {
		stream(w, r.BodyBytes)
		return
	}
	if r.Log != nil {
		r.Log.write(w, request)
		return
	}
	_, _ = w.Write([]byte(r.Body))
}

// stream writes that many bytes: lines of 63 x and a newline.
func stream(w http.ResponseWriter, left int64) {
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = 'x'
		if i%64 == 63 {
			block[i] = '\n'
		}
	}
	for left > 0 {
		n, err := w.Write(block[:min(left, int64(len(block)))])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}
