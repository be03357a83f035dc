//go:build !linux && !freebsd

package audit

import (
	"errors"

	"skep/internal/store"
)

// Cell audits the hypervisor of a running cell.
func Cell(store.State) (Report, error) { return Report{}, errors.ErrUnsupported }

// Process audits any process as if it were a cell's.
func Process(int) (Report, error) { return Report{}, errors.ErrUnsupported }

// Jail audits the hypervisors of a jail.
func Jail(string) ([]Report, error) { return nil, errors.ErrUnsupported }
