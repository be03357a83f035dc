package cli

import (
	"os"
	"testing"

	"skep/internal/reader"
	"skep/internal/tool"
)

// TestMain is also the program that readers are run in, as cmd/skep is.
func TestMain(m *testing.M) {
	tool.ServeIfAsked(reader.Table())
	os.Exit(m.Run())
}
