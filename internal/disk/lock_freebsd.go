package disk

import "os"

const inUseHint = "fstat shows who has it open; stop it first, or give both read_only = true"

// lockBytes takes nothing: bhyve and its tools lock no image, and QEMU here has
// no locks of an open file to look at. flock(2) is seen by who asks for it, such
// as other cells and lockf(1).
func lockBytes(*os.File, bool) error { return nil }

// rangeFlock is false: a lock of flock(2) and one of fcntl(2) are seen by each
// other here, on every file system.
func rangeFlock(*os.File) bool { return false }

// holders are not found: no call says who has a file's lock.
func holders(*os.File) []Holder { return nil }
