package keeper

import (
	"context"

	"skep/internal/cell"
)

func (m *machine) ChangeMedium(context.Context, string, string) error { return nil }

func (m *machine) Grow(context.Context, string, cell.Size) (uint64, error) { return 0, nil }
