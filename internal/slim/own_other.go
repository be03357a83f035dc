//go:build !linux

package slim

import "runtime/debug"

// Within is Down for a process that can open nothing.
func Within() { debug.FreeOSMemory() }
