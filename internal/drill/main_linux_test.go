package drill

import (
	"os"
	"testing"

	"skep/internal/worker"
)

// TestMain is also the program that the workers of these tests' cells are run in, as cmd/skep is.
func TestMain(m *testing.M) {
	worker.ServeIfAsked()
	os.Exit(m.Run())
}
