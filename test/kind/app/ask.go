package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A request each, on a connection of its own, so that a Service chooses anew.
const interval = 20 * time.Millisecond

var client = &http.Client{
	Timeout:   2 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// Asks each of NAME=URL fifty times a second until it is told to stop. One line an answer: when it was asked for and when it
// came (ms since the epoch), NAME, and the version, or "error" and why.
func ask(targets []string) error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	out := make(chan string, 1024)
	var asking sync.WaitGroup
	done := make(chan struct{})
	for _, target := range targets {
		name, url, found := strings.Cut(target, "=")
		if !found {
			return fmt.Errorf("%s: give NAME=URL", target)
		}
		asking.Go(func() { askOne(name, url, out, done) })
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

func askOne(name, url string, out chan<- string, done <-chan struct{}) {
	ticks := time.NewTicker(interval)
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
				answer := request(url)
				out <- fmt.Sprintf("%d %d %s %s", asked, time.Now().UnixMilli(), name, answer)
			})
		}
	}
}

func request(url string) string {
	answer, err := client.Get(url)
	if err != nil {
		return "error " + err.Error()
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "error " + answer.Status
	}
	line, err := bufio.NewReader(answer.Body).ReadString('\n')
	if err != nil {
		return "error " + err.Error()
	}
	version, _, _ := strings.Cut(line, " ")
	return version
}
