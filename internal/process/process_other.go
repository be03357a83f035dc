//go:build !linux && !freebsd

package process

// BootID is not known here.
func BootID() string { return "" }

// Lives is not known here.
func Lives(int, uint64) bool { return false }

func gone(int) bool { return true }
