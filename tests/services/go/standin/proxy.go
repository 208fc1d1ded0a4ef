package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// The modes of a proxy.
const (
	pass        = "pass"         // bytes go both ways
	dropReplies = "drop-replies" // what the server says is lost, and soon after the connection too
	refuse      = "refuse"       // nobody listens
	hang        = "hang"         // connections are accepted, and then nothing moves
	garble      = "garble"       // instead of what the server says comes noise, and soon after the connection ends
)

// noise belongs to no protocol.
var noise = []byte("\x00\xffnoise\r\n\r\n")

// setting is what a proxy does. With When, drop-replies, hang and garble start on a connection only once the client has sent that
// text on it (WhenCount times): until then the connection passes.
type setting struct {
	Mode      string `json:"mode"`
	When      string `json:"when"`
	WhenCount int    `json:"when_count"`
}

func (s setting) check() error {
	switch s.Mode {
	case pass, dropReplies, refuse, hang, garble:
	default:
		return fmt.Errorf("mode %q: use pass, drop-replies, refuse, hang or garble", s.Mode)
	}
	if s.When != "" && s.Mode == refuse {
		return errors.New("refuse takes no when")
	}
	return nil
}

// lossDelay is the time from the first lost reply to the end of the connection.
const lossDelay = 300 * time.Millisecond

// proxy forwards TCP connections to one address.
type proxy struct {
	to, address string
	tls         *tls.Config // with it, speaks TLS to both sides and so sees the text

	mu         sync.Mutex
	changed    *sync.Cond
	setting    setting
	generation int // counts the changes of the setting, so that each starts its When anew
	removed    bool
	listener   net.Listener
	links      map[*link]struct{}
	accepted   int
	lost       int
}

// link is one connection through a proxy.
type link struct {
	client, server net.Conn
	seen           int    // occurrences of When
	generation     int    // of the setting that seen belongs to
	tail           []byte // the end of what the client sent, where When may have begun
	losing         bool
}

func openProxy(to string, wanted setting, speakTLS bool, cert, key string) (*proxy, error) {
	if err := wanted.check(); err != nil {
		return nil, err
	}
	p := &proxy{to: to, setting: setting{Mode: refuse}, links: map[*link]struct{}{}}
	p.changed = sync.NewCond(&p.mu)
	if speakTLS {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		// The other side is one of our own services on this machine; its certificate proves nothing here.
		p.tls = &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.address = listener.Addr().String()
	listener.Close()
	return p, p.set(wanted)
}

// set changes the mode, for open connections too.
func (p *proxy) set(wanted setting) error {
	if err := wanted.check(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.removed {
		return errNone
	}
	if wanted.Mode == refuse {
		p.stop()
	} else if p.listener == nil {
		listener, err := net.Listen("tcp", p.address)
		if err != nil {
			return err
		}
		p.listener = listener
		go p.accept(listener)
	}
	p.setting = wanted
	p.generation++
	p.changed.Broadcast()
	return nil
}

func (p *proxy) remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
	p.removed = true
	p.changed.Broadcast()
}

// stop closes the listener and every connection; the caller holds the lock.
func (p *proxy) stop() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for l := range p.links {
		l.close()
		delete(p.links, l)
	}
}

func (l *link) close() {
	l.client.Close()
	if l.server != nil {
		l.server.Close()
	}
}

func (p *proxy) show() map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return map[string]any{
		"address": p.address, "to": p.to, "mode": p.setting.Mode,
		"accepted": p.accepted, "open": len(p.links), "lost_bytes": p.lost,
	}
}

func (p *proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go p.serve(client)
	}
}

func (p *proxy) serve(client net.Conn) {
	if p.tls != nil {
		client = tls.Server(client, p.tls)
	}
	l := &link{client: client}
	p.mu.Lock()
	p.accepted++
	p.links[l] = struct{}{}
	p.mu.Unlock()
	if !p.wait(l) || !p.dial(l) {
		p.end(l)
		return
	}
	go func() {
		p.copyReplies(l)
		p.end(l)
	}()
	if err := p.copyRequests(l); err != nil {
		p.end(l)
	}
}

func (p *proxy) dial(l *link) bool {
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return false
	}
	if p.tls != nil {
		server = tls.Client(server, p.tls)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.server = server
	_, open := p.links[l]
	return open
}

func (p *proxy) end(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	l.close()
	p.changed.Broadcast()
}

// active says whether the mode applies to this connection; the caller holds the lock.
func (p *proxy) active(l *link) bool {
	if p.setting.When == "" {
		return true
	}
	return l.generation == p.generation && l.seen >= max(p.setting.WhenCount, 1)
}

// wait returns when bytes may move on this connection, or false when it is closed.
func (p *proxy) wait(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if _, open := p.links[l]; !open {
			return false
		}
		if p.setting.Mode != hang || !p.active(l) {
			return true
		}
		p.changed.Wait()
	}
}

// watch looks for When in what the client sends.
func (p *proxy) watch(l *link, sent []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.generation != p.generation {
		l.generation, l.seen, l.tail = p.generation, 0, nil
	}
	when := []byte(p.setting.When)
	if len(when) == 0 {
		return
	}
	text := append(l.tail, sent...)
	l.seen += bytes.Count(text, when)
	// One byte less than When: what was counted is not counted again.
	l.tail = append([]byte(nil), text[max(0, len(text)-len(when)+1):]...)
}

func (p *proxy) copyRequests(l *link) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buffer)
		if n > 0 {
			p.watch(l, buffer[:n])
			if !p.wait(l) {
				return net.ErrClosed
			}
			if _, err := l.server.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			// The client has finished sending; the reply may still be to come, and its end ends the connection.
			return l.server.(interface{ CloseWrite() error }).CloseWrite()
		}
		if err != nil {
			return err
		}
	}
}

func (p *proxy) copyReplies(l *link) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buffer)
		if n > 0 {
			if !p.wait(l) {
				return
			}
			said := buffer[:n]
			if lost, instead := p.lose(l, n); lost {
				said = instead
			}
			if _, err := l.client.Write(said); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// lose says whether these bytes are to be lost, and what comes instead; the first time, it has the connection closed soon.
func (p *proxy) lose(l *link, n int) (bool, []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !l.losing && (p.setting.Mode != dropReplies && p.setting.Mode != garble || !p.active(l)) {
		return false, nil
	}
	if !l.losing {
		l.losing = true
		time.AfterFunc(lossDelay, func() { p.end(l) })
	}
	p.lost += n
	if p.setting.Mode == garble {
		return true, noise
	}
	return true, nil
}
