// A web app that returns its version, and a client that requests the version repeatedly. The image sets VERSION and BEHAVIOUR.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
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
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(answer, "%s %s\n", version, os.Getenv("HOSTNAME"))
	})
	mux.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {
		if behaviour == "unready" {
			http.Error(answer, "never ready", http.StatusServiceUnavailable)
		}
	})
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
