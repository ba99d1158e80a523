// The distribution registry with the drivers that a test cluster needs, and a lifeline.
package main

import (
	"fmt"
	"os"

	"apprelease.dev/test/lifeline"
	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	lifeline.Attach()
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

// The registry accepts bcrypt alone, and neither Node nor every machine has a program for it.
func htpasswd(_ *cobra.Command, args []string) error {
	hash, err := bcrypt.GenerateFromPassword([]byte(args[1]), bcrypt.MinCost)
	if err != nil {
		return err
	}
	fmt.Printf("%s:%s\n", args[0], hash)
	return nil
}
