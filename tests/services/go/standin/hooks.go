package main

import (
	"net/http"
	"strings"
	"sync"
)

// hooks is the webhook receiver: it takes a POST on any path, remembers it, and answers 200 "ok" unless told otherwise.
type hooks struct {
	recorder
	mu      sync.Mutex
	answers map[string]*answers // by path prefix
}

func newHooks() *hooks {
	return &hooks{answers: map[string]*answers{}}
}

func (h *hooks) configure(prefix string, answer *answers) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers[prefix] = answer
}

func (h *hooks) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers = map[string]*answers{}
	h.clear("")
}

func (h *hooks) answer(path string) response {
	h.mu.Lock()
	defer h.mu.Unlock()
	best, longest := (*answers)(nil), -1
	for prefix, answer := range h.answers {
		if strings.HasPrefix(path, prefix) && len(prefix) > longest {
			best, longest = answer, len(prefix)
		}
	}
	if best == nil {
		return response{Body: "ok"}
	}
	answer := best.take()
	if answer.Body == "" {
		answer.Body = "ok"
	}
	return answer
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if err := h.record(request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if request.Method != http.MethodPost {
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	h.answer(request.URL.Path).write(w, request)
}
