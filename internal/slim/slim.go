// Package slim makes a process small that has done most of what it will do.
package slim

import (
	"runtime/debug"
	"time"
)

// Down gives back what a keeper needed only to start: it has little to do from
// now on, and there may be hundreds of it.
func Down() {
	debug.SetGCPercent(20)
	lessen()
	// And once more when the last of the start is done and all is quiet.
	time.AfterFunc(time.Second, lessen)
}

func lessen() {
	debug.FreeOSMemory()
	dropProgram()
}
