package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// recorded is one request as it came in.
type recorded struct {
	at      time.Time
	method  string
	path    string
	query   string
	host    string
	headers http.Header
	body    []byte
}

// MarshalJSON gives header names in lower case, and the body twice: as text, and exactly.
func (r recorded) MarshalJSON() ([]byte, error) {
	headers := make(map[string]string, len(r.headers))
	for name, values := range r.headers {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	value := map[string]any{
		"time": r.at.UTC().Format(time.RFC3339Nano), "method": r.method, "path": r.path, "query": r.query, "host": r.host,
		"headers": headers, "body": string(r.body), "body_base64": r.body,
	}
	if !utf8.Valid(r.body) {
		value["body"] = strings.ToValidUTF8(string(r.body), "\uFFFD")
	}
	return json.Marshal(value)
}

// recorder keeps the last requests, in the order in which they came.
type recorder struct {
	mu   sync.Mutex
	kept []recorded
}

// Bounds of what is kept, so that a benchmark of an hour does not fill the memory.
const (
	keptRequests = 20_000
	keptBody     = 4 << 20
)

// record reads the whole body and remembers the request.
func (r *recorder) record(request *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(request.Body, keptBody))
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return err
	}
	entry := recorded{
		at: time.Now(), method: request.Method, path: request.URL.Path, query: request.URL.RawQuery, host: request.Host,
		headers: request.Header, body: body,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) >= 2*keptRequests {
		r.kept = append([]recorded(nil), r.kept[keptRequests:]...)
	}
	r.kept = append(r.kept, entry)
	return nil
}

// list returns the requests whose path starts with the prefix.
func (r *recorder) list(prefix string) []recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []recorded{}
	for _, entry := range r.kept {
		if strings.HasPrefix(entry.path, prefix) {
			found = append(found, entry)
		}
	}
	return found
}

// clear forgets the requests whose path starts with the prefix.
func (r *recorder) clear(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []recorded
	for _, entry := range r.kept {
		if !strings.HasPrefix(entry.path, prefix) {
			left = append(left, entry)
		}
	}
	r.kept = left
}
