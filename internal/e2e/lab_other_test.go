//go:build !linux

package e2e

import "os"

// netns: Linux's only.
type netns struct{}

func (*netns) do(f func() error) { _ = f() }

func (l *lab) close() { os.RemoveAll(l.dir) }

func became() {}
