package cli

import (
	"runtime/debug"
	"time"
)

// slim gives back what a keeper needed only to start: it has little to do from
// now on, and there may be hundreds of it.
func slim() {
	debug.SetGCPercent(20)
	lessen()
	// And once more when the last of the start is done and all is quiet.
	time.AfterFunc(time.Second, lessen)
}

func lessen() {
	debug.FreeOSMemory()
	dropProgram()
}
