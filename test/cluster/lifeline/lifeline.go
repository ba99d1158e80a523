// Package lifeline ties a process to the one that started it.
package lifeline

import (
	"io"
	"os"
)

// Variable is the environment variable that says that standard input is a lifeline.
const Variable = "LIFELINE"

// Attach ends this process as soon as standard input reaches its end, if the environment says that standard input is
// a pipe held by the parent: the kernel closes it however the parent ends, SIGKILL included.
func Attach() {
	if os.Getenv(Variable) != "stdin" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
}
