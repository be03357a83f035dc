// The number of threads does not follow a control group's limits of processor time: to read those takes half
// a millisecond of each command's, and a keeper waits most of its life.

//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command skep runs every virtual machine's hypervisor in a jail of its own.
package main

import (
	"context"
	"os"

	"skep/internal/cli"
	"skep/internal/jail"
)

func main() {
	jail.LaunchIfAsked()
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
