// The distribution registry with the drivers that a test cluster needs. It ends when its parent process ends.
package main

import (
	"fmt"
	"os"

	"apprelease.dev/test/exitwithparent"
	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	exitwithparent.Start()
	registry.RootCmd.AddCommand(&cobra.Command{
		Use:   "htpasswd USER PASSWORD",
		Short: "print a line of an htpasswd file",
		Args:  cobra.ExactArgs(2),
		RunE:  htpasswd,
	})
	if err := registry.RootCmd.Execute(); err != nil {
		os.Exit(1)
	}
}

// Prints a line of an htpasswd file. The registry accepts only bcrypt hashes, Node has no function for them, and not every
// machine has a program for them.
func htpasswd(_ *cobra.Command, args []string) error {
	hash, err := bcrypt.GenerateFromPassword([]byte(args[1]), bcrypt.MinCost)
	if err != nil {
		return err
	}
	fmt.Printf("%s:%s\n", args[0], hash)
	return nil
}
