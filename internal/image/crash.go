package image

import (
	"os"
	"syscall"
)

// crashPoint has an import kill itself where the environment says, as package keeper does, so that tests can
// see that no half of an image is ever listed.
func crashPoint(step string) {
	if os.Getenv("SKEP_TEST_CRASH_AT") == "image:"+step {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
