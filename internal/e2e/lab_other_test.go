//go:build !linux

package e2e

// netns: Linux's only.
type netns struct{}

func (*netns) do(f func() error) { _ = f() }

func became() {}
