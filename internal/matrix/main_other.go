//go:build !linux

package main

import (
	"errors"
	"fmt"
)

const insideArg = "_inside"

func inside([]string) int { return 1 }

func runSuite(options, string) (result, error) {
	return result{}, fmt.Errorf("another Debian userland: %w", errors.ErrUnsupported)
}

func runKernel(options, string) (result, error) {
	return result{}, fmt.Errorf("a Debian with its own kernel: %w", errors.ErrUnsupported)
}
