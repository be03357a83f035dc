package keeper

import (
	"os"
	"syscall"
)

// EnvCrash makes a keeper kill itself at a named point, such as
// "taken:tap:lan" or "releasing:room", so that tests can see that whatever
// dies and whenever it dies, a sweep finds all of it. It does nothing that
// kill(1) could not do.
const EnvCrash = "SKEP_TEST_CRASH_AT"

func crashAt(step, id string) {
	if at := os.Getenv(EnvCrash); at != "" && at == step+":"+id {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func crashPoint(step, id string) { thisHost.crash(step, id) }
