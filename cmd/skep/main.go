// Command skep runs every virtual machine's hypervisor in a jail of its own.
package main

import (
	"context"
	"os"

	"skep/internal/cli"
	"skep/internal/inside"
	"skep/internal/tool"
	"skep/internal/worker"
)

func main() {
	launchIfAsked()
	worker.ServeIfAsked()
	tool.ServeIfAsked(inside.Table())
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
