package background

import (
	"os"
	"syscall"
	"testing"
)

// The reason in ps has the name that people type, as a reason by skep down does.
func TestSignalName(t *testing.T) {
	for s, want := range map[os.Signal]string{syscall.SIGTERM: "SIGTERM", syscall.SIGINT: "SIGINT", syscall.SIGHUP: "SIGHUP"} {
		if got := signalName(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
