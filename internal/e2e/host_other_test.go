//go:build !linux

package e2e

// hostHas: the guests of these tests are Linux hosts' so far.
func hostHas(string) bool { return false }

func (l *lab) nothingLeft() {}
