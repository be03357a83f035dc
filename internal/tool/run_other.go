//go:build !linux && !freebsd

package tool

import (
	"context"
	"errors"
	"fmt"

	"skep/internal/host"
)

func inJail(name string) string { return name }

func run(context.Context, host.Facts, Job) (Output, error) {
	return Output{}, fmt.Errorf("jails of tools: %w", errors.ErrUnsupported)
}

func confine([]string) error { return errors.ErrUnsupported }
