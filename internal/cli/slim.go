package cli

import (
	"runtime/debug"
)

// slim gives back what a keeper needed only to start: it has little to do from
// now on, and there may be hundreds of it.
func slim() {
	debug.SetGCPercent(20)
	debug.FreeOSMemory()
}
