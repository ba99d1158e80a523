// A web app that returns its version, and a client that requests the version repeatedly. The image sets VERSION and BEHAVIOUR;
// the pod may set POOL, to be returned too.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	var err error
	if len(os.Args) > 2 && os.Args[1] == "ask" {
		err = ask(os.Args[2:])
	} else {
		err = serve(os.Getenv("VERSION"), os.Getenv("BEHAVIOUR"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(version, behaviour string) error {
	if behaviour == "crash" {
		return fmt.Errorf("version %s cannot start", version)
	}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var broken atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			http.Error(answer, "broken", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(answer, "%s %s %s\n", version, os.Getenv("HOSTNAME"), os.Getenv("POOL"))
	})
	mux.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {
		if behaviour == "unready" || broken.Load() {
			http.Error(answer, "not ready", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /break", func(http.ResponseWriter, *http.Request) { broken.Store(true) })
	mux.HandleFunc("POST /mend", func(http.ResponseWriter, *http.Request) { broken.Store(false) })
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ended.Done():
		return server.Shutdown(context.Background())
	}
}
