package plan

import (
	"errors"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
)

// Located adds to an error the place in the cell file that it is about, if a
// line of the file asked for what is at path, a key of cell.Sources. An error
// that has a place keeps it.
func Located(c *cell.Cell, path string, err error) error {
	if at := new(fault.At); err == nil || path == "" || errors.As(err, &at) {
		return err
	}
	// Of a block, the line that names what it is about.
	for _, within := range []string{".file", ".zvol", ".iso", ".device", ".listen", ""} {
		if pos, ok := c.Where(path + within); ok {
			return &fault.At{Err: err, Place: pos.String()}
		}
	}
	return err
}

// refusal is what a hypervisor cannot do, as a mistake of the cell file's.
func refusal(c *cell.Cell, r hypervisor.Refusal) error {
	return Located(c, r.Source, fault.Fail(fault.Input, r.Hint, "%s", r.Text))
}

// CheckArgs finds what a cell must not pass to a hypervisor.
func CheckArgs(c *cell.Cell, s hypervisor.System) error {
	var wrong []error
	for _, r := range hypervisor.ArgsRefused(c, s) {
		wrong = append(wrong, refusal(c, r))
	}
	return fault.Join(wrong...)
}
