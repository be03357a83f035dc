package cli

import (
	"context"
	"os"
	"slices"
	"testing"

	"skep/internal/inside"
	"skep/internal/tool"
	"skep/internal/worker"
)

// TestMain is also the program that workers and readers are run in, as cmd/skep is, and the one that a command starts
// once more: as a keeper, or to look at a process from inside its namespace.
func TestMain(m *testing.M) {
	worker.ServeIfAsked()
	tool.ServeIfAsked(inside.Table())
	if len(os.Args) > 1 && slices.Contains([]string{"keeper", apartName, "peek"}, os.Args[1]) {
		os.Exit(Main(context.Background(), os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}
