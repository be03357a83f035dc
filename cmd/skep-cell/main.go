// Command skep-cell is a keeper in the background, or the worker of one. skep starts it where it is installed; it has
// the packages of these two in it and none of what only commands need, so it starts sooner and is smaller.
package main

import (
	"context"
	"fmt"
	"os"

	"skep/internal/background"
	"skep/internal/fault"
	"skep/internal/worker"
)

func main() {
	launchIfAsked()
	worker.ServeIfAsked()
	if len(os.Args) != 3 || os.Args[1] != "keeper" {
		fmt.Fprintln(os.Stderr, "skep-cell: error: this program is started by skep")
		os.Exit(int(fault.Input))
	}
	os.Exit(int(background.Keep(context.Background(), os.Stdin)))
}
