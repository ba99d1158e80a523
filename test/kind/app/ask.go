package main

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Opens a connection for each request, so that the Service selects a pod for each request.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Requests each NAME=URL repeatedly until SIGTERM or SIGINT. Prints one line for each request: the times of the request and of
// the answer (ms since the epoch), NAME, and the version with the pool, if the app returns one, or "error" and the cause.
func ask(args []string) error {
	flags := flag.NewFlagSet("ask", flag.ContinueOnError)
	every := flags.Duration("every", 20*time.Millisecond, "time between two requests to a target")
	host := flags.String("host", "", "Host header of each request, in place of the URL's host")
	headers := map[string]http.Header{}
	flags.Func("header", "`TARGET=NAME:VALUE`, a header of each request to a target; may be repeated", func(text string) error {
		target, header, _ := strings.Cut(text, "=")
		name, value, found := strings.Cut(header, ":")
		if !found {
			return fmt.Errorf("%s: want TARGET=NAME:VALUE", text)
		}
		if headers[target] == nil {
			headers[target] = http.Header{}
		}
		headers[target].Add(name, strings.TrimSpace(value))
		return nil
	})
	flags.DurationVar(&client.Timeout, "timeout", 10*time.Second, "timeout of a request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	targets := flags.Args()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	out := make(chan string, 1024)
	var asking sync.WaitGroup
	done := make(chan struct{})
	for _, target := range targets {
		name, url, found := strings.Cut(target, "=")
		if !found {
			return fmt.Errorf("%s: want NAME=URL", target)
		}
		asking.Go(func() { askOne(name, url, *host, headers[name], *every, out, done) })
	}
	go func() {
		<-ended
		close(done)
		asking.Wait()
		close(out)
	}()
	for line := range out {
		fmt.Println(line)
	}
	return nil
}

func askOne(name, url, host string, headers http.Header, every time.Duration, out chan<- string, done <-chan struct{}) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		select {
		case <-done:
			return
		case <-ticks.C:
			open.Go(func() {
				asked := time.Now().UnixMilli()
				answer := request(url, host, headers)
				out <- fmt.Sprintf("%d %d %s %s", asked, time.Now().UnixMilli(), name, answer)
			})
		}
	}
}

func request(url, host string, headers http.Header) string {
	asked, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "error " + err.Error()
	}
	asked.Host = host
	if headers != nil {
		asked.Header = headers
	}
	answer, err := client.Do(asked)
	if err != nil {
		return "error " + err.Error()
	}
	defer answer.Body.Close()
	line, err := bufio.NewReader(answer.Body).ReadString('\n')
	if answer.StatusCode != http.StatusOK {
		return strings.TrimSpace("error " + answer.Status + " " + line)
	}
	if err != nil {
		return "error " + err.Error()
	}
	version, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	_, pool, _ := strings.Cut(rest, " ")
	return strings.TrimSpace(version + " " + pool)
}
