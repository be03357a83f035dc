//go:build !linux

package main

import "fmt"

// What is measured on Linux alone so far.

func unmeasured(what string) error {
	fmt.Printf("\n%s: cannot be measured on this system yet\n", what)
	return nil
}

func (b *bencher) jail() error   { return unmeasured("the jail alone") }
func (b *bencher) matrix() error { return unmeasured("the jail, by the mounts of the host") }
func (b *bencher) guests() error { return unmeasured("the work of a guest") }

func (b *bencher) templates() error {
	return unmeasured("templates and pools, of which there are none")
}

const innerName = "inner"

func inner(int, string) error { return nil }
