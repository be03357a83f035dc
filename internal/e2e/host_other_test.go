//go:build !linux && !freebsd

package e2e

import "os"

// hostHas: no cell runs on other systems.
func hostHas(string) bool { return false }

func (l *lab) nothingLeft() {}

func (l *lab) close() { os.RemoveAll(l.dir) }
