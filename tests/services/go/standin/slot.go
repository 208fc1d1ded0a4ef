package main

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// behaviour is what a slot answers. The keys of routes are "METHOD /path"; a path that ends in "*" stands for all that
// start with it, the longest first.
type behaviour struct {
	Routes  map[string]*answers `json:"routes"`
	Default *answers            `json:"default"`
}

// slot is one HTTP service.
type slot struct {
	listener  net.Listener
	behaviour atomic.Pointer[behaviour]
	requests  recorder
}

func healthy() *behaviour {
	return &behaviour{Routes: map[string]*answers{
		"GET /health": {list: []response{{Body: `{"status":"healthy"}`}}},
	}}
}

func openSlot() (*slot, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &slot{listener: listener}
	s.reset()
	go serve(listener, s)
	return s, nil
}

func (s *slot) reset() {
	s.behaviour.Store(healthy())
	s.requests.clear("")
}

func (s *slot) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if err := s.requests.record(request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.behaviour.Load().find(request.Method, request.URL.Path).take().write(w, request)
}

var notFound = &answers{list: []response{{Status: http.StatusNotFound, Body: `{"error":"not found"}`}}}

func (b *behaviour) find(method, path string) *answers {
	wanted := method + " " + path
	if found := b.Routes[wanted]; found != nil {
		return found
	}
	best, longest := b.Default, -1
	for route, answer := range b.Routes {
		prefix, ok := strings.CutSuffix(route, "*")
		if ok && strings.HasPrefix(wanted, prefix) && len(prefix) > longest {
			best, longest = answer, len(prefix)
		}
	}
	if best == nil {
		return notFound
	}
	return best
}

// UnmarshalJSON refuses null routes, which would answer nothing.
func (b *behaviour) UnmarshalJSON(text []byte) error {
	type plain behaviour
	if err := strict(text, (*plain)(b)); err != nil {
		return err
	}
	for route, answer := range b.Routes {
		if answer == nil {
			delete(b.Routes, route)
		}
	}
	return nil
}
