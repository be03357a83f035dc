//go:build !linux

package jail

// Limit is for Linux so far.
func (*Process) Limit(Limit) error { return errUnsupported }
