// Command standin is one process that stands for HTTP services, for a receiver of webhooks, and for a bad network.
//
// It opens a fixed number of HTTP listeners (slots) on free ports, whose answers are set through a control API; a listener
// that remembers every webhook it gets; and TCP proxies that pass, refuse, hang or lose replies. See ../../README.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	slots := flag.Int("slots", 24, "number of HTTP listeners")
	file := flag.String("file", "", "JSON file to write the addresses to, when ready")
	cert := flag.String("cert", "", "certificate of the proxies that speak TLS")
	key := flag.String("key", "", "key of that certificate")
	ports := flag.Int("free-ports", 0, "print this many free TCP ports and exit")
	flag.Parse()
	if *ports > 0 {
		if err := printFreePorts(*ports); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := run(*slots, *file, *cert, *key); err != nil {
		log.Fatal(err)
	}
}

func run(count int, file, cert, key string) error {
	c := &control{hooks: newHooks(), cert: cert, key: key}
	for range count {
		if _, err := c.openSlot(); err != nil {
			return err
		}
	}
	hooks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go serve(hooks, c.hooks)
	go serve(control, c.routes())

	addresses := map[string]any{"control": control.Addr().String(), "hooks": hooks.Addr().String(), "slots": c.addresses()}
	if err := writeJSONFile(file, addresses); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	return nil
}

func serve(listener net.Listener, handler http.Handler) {
	// The only error is that the listener was closed: a slot that was removed.
	_ = http.Serve(listener, handler)
}

// writeJSONFile writes the file under another name first, so that whoever waits for it never reads half of it.
func writeJSONFile(file string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if file == "" {
		fmt.Println(string(text))
		return nil
	}
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// printFreePorts prints ports below the range that outgoing connections take theirs from (32768 and up on Linux), so that
// none of them is lost between here and the program that will listen on it.
func printFreePorts(count int) error {
	const first, last = 20000, 32767
	var held []net.Listener
	for tries := 0; len(held) < count; tries++ {
		if tries > 100*count {
			return fmt.Errorf("no %d free ports between %d and %d on 127.0.0.1", count, first, last)
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first)))
		if err == nil {
			held = append(held, listener)
		}
	}
	for _, listener := range held {
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
		listener.Close()
	}
	return nil
}
