package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// control is the API by which a test sets what the other listeners do, and reads back what they got.
type control struct {
	mu        sync.Mutex
	slots     []*slot // nil once removed, so that the numbers stay
	proxies   []*proxy
	hooks     *hooks
	cert, key string
}

func (c *control) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, handler func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, request *http.Request) {
			value, err := handler(request)
			status := http.StatusOK
			if err != nil {
				status = http.StatusBadRequest
				if errors.Is(err, errNone) {
					status = http.StatusNotFound
				}
				value = map[string]string{"error": err.Error()}
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(value)
		})
	}
	handle("POST /reset", c.reset)
	handle("GET /health-all", c.healthAll)
	handle("POST /slots", c.addSlot)
	handle("PUT /slots/{id}", c.setSlot)
	handle("DELETE /slots/{id}", c.removeSlot)
	handle("GET /slots/{id}/requests", c.slotRequests)
	handle("DELETE /slots/{id}/requests", c.clearSlotRequests)
	handle("PUT /hooks/config", c.setHooks)
	handle("GET /hooks", func(r *http.Request) (any, error) { return c.hooks.list(r.URL.Query().Get("path")), nil })
	handle("DELETE /hooks", func(r *http.Request) (any, error) {
		c.hooks.clear(r.URL.Query().Get("path"))
		return done, nil
	})
	handle("POST /proxies", c.addProxy)
	handle("PUT /proxies/{id}", c.setProxy)
	handle("GET /proxies/{id}", c.showProxy)
	handle("DELETE /proxies/{id}", c.removeProxy)
	return mux
}

var (
	done    = map[string]bool{"ok": true}
	errNone = errors.New("there is none with that number")
)

// reset gives every slot and the webhook receiver their first state, and removes the proxies.
func (c *control) reset(*http.Request) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, slot := range c.slots {
		if slot != nil {
			slot.reset()
		}
	}
	for id, proxy := range c.proxies {
		if proxy != nil {
			proxy.remove()
			c.proxies[id] = nil
		}
	}
	c.hooks.reset()
	return done, nil
}

// healthAll says what every slot would answer to its next GET /health, without asking it.
func (c *control) healthAll(*http.Request) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []any{}
	for id, slot := range c.slots {
		if slot == nil {
			continue
		}
		answer := slot.behaviour.Load().find("GET", "/health").peek()
		if answer.Status == 0 {
			answer.Status = http.StatusOK
		}
		all = append(all, map[string]any{"slot": id, "address": slot.listener.Addr().String(), "status": answer.Status})
	}
	return map[string]any{"slots": all}, nil
}

func (c *control) openSlot() (int, error) {
	slot, err := openSlot()
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots = append(c.slots, slot)
	return len(c.slots) - 1, nil
}

func (c *control) addresses() []string {
	var list []string
	for _, slot := range c.slots {
		list = append(list, slot.listener.Addr().String())
	}
	return list
}

// numbered returns the entry that the request's path names.
func numbered[T any](c *control, list *[]*T, request *http.Request) (int, *T, error) {
	id, err := strconv.Atoi(request.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if id < 0 || id >= len(*list) || (*list)[id] == nil {
		return 0, nil, errNone
	}
	return id, (*list)[id], nil
}

func decode(request *http.Request, value any) error {
	text, err := io.ReadAll(request.Body)
	if err == nil {
		err = strict(text, value)
	}
	if err != nil {
		return fmt.Errorf("the body is not what %s %s takes: %w", request.Method, request.URL.Path, err)
	}
	return nil
}

func (c *control) addSlot(*http.Request) (any, error) {
	id, err := c.openSlot()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return map[string]any{"slot": id, "address": c.slots[id].listener.Addr().String()}, nil
}

func (c *control) setSlot(request *http.Request) (any, error) {
	_, slot, err := numbered(c, &c.slots, request)
	if err != nil {
		return nil, err
	}
	wanted := &behaviour{}
	if err := decode(request, wanted); err != nil {
		return nil, err
	}
	slot.behaviour.Store(wanted)
	return map[string]any{"address": slot.listener.Addr().String()}, nil
}

func (c *control) removeSlot(request *http.Request) (any, error) {
	id, slot, err := numbered(c, &c.slots, request)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots[id] = nil
	return done, slot.listener.Close()
}

func (c *control) slotRequests(request *http.Request) (any, error) {
	_, slot, err := numbered(c, &c.slots, request)
	if err != nil {
		return nil, err
	}
	return slot.requests.list(request.URL.Query().Get("path")), nil
}

func (c *control) clearSlotRequests(request *http.Request) (any, error) {
	_, slot, err := numbered(c, &c.slots, request)
	if err != nil {
		return nil, err
	}
	slot.requests.clear(request.URL.Query().Get("path"))
	return done, nil
}

func (c *control) setHooks(request *http.Request) (any, error) {
	wanted := &answers{}
	if err := decode(request, wanted); err != nil {
		return nil, err
	}
	c.hooks.configure(request.URL.Query().Get("path"), wanted)
	return done, nil
}

func (c *control) addProxy(request *http.Request) (any, error) {
	var wanted struct {
		To  string `json:"to"`
		TLS bool   `json:"tls"`
		setting
	}
	if err := decode(request, &wanted); err != nil {
		return nil, err
	}
	proxy, err := openProxy(wanted.To, wanted.setting, wanted.TLS, c.cert, c.key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proxies = append(c.proxies, proxy)
	return map[string]any{"id": len(c.proxies) - 1, "address": proxy.address}, nil
}

func (c *control) setProxy(request *http.Request) (any, error) {
	_, proxy, err := numbered(c, &c.proxies, request)
	if err != nil {
		return nil, err
	}
	var wanted setting
	if err := decode(request, &wanted); err != nil {
		return nil, err
	}
	return done, proxy.set(wanted)
}

func (c *control) showProxy(request *http.Request) (any, error) {
	_, proxy, err := numbered(c, &c.proxies, request)
	if err != nil {
		return nil, err
	}
	return proxy.show(), nil
}

func (c *control) removeProxy(request *http.Request) (any, error) {
	id, proxy, err := numbered(c, &c.proxies, request)
	if err != nil {
		return nil, err
	}
	proxy.remove()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proxies[id] = nil
	return done, nil
}
