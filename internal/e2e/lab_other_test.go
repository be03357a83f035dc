//go:build !linux

package e2e

import "os"

func (l *lab) close() { os.RemoveAll(l.dir) }
