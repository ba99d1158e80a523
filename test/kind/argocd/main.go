// The components of Argo CD that the tests run. The name of the executable selects the component, as in Argo CD's own main. The
// process also ends when its parent process ends.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"apprelease.dev/test/exitwithparent"
	appcontroller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	apiserver "github.com/argoproj/argo-cd/v3/cmd/argocd-server/commands"
	cli "github.com/argoproj/argo-cd/v3/cmd/argocd/commands"
	"github.com/argoproj/argo-cd/v3/util/log"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

var commands = map[string]func() *cobra.Command{
	"argocd-application-controller": appcontroller.NewCommand,
	"argocd-repo-server":            reposerver.NewCommand,
	"argocd-server":                 apiserver.NewCommand,
}

func main() {
	exitwithparent.Start()
	klog.SetLogger(log.NewLogrusLogger(log.NewWithCurrentConfig()))
	newCommand, ok := commands[filepath.Base(os.Args[0])]
	if !ok {
		newCommand = cli.NewCommand
	}
	if err := newCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
