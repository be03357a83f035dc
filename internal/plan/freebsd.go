package plan

import (
	"errors"

	"skep/internal/cell"
	"skep/internal/host"
)

func freebsd(c *cell.Cell, h host.Facts) (*Plan, error) {
	return nil, errors.ErrUnsupported
}
