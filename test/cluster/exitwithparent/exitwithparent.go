// Package exitwithparent ends a process when its parent process ends.
package exitwithparent

import (
	"io"
	"os"
)

// Variable is the environment variable that turns this on: its value is "stdin".
const Variable = "EXIT_WITH_PARENT"

// Start ends this process as soon as standard input reaches its end, if Variable is set. The parent holds the other end of
// that pipe, and the kernel closes it when the parent ends, also after SIGKILL.
func Start() {
	if os.Getenv(Variable) != "stdin" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
}
