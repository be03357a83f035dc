package cli

import (
	"errors"
	"os"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/taskdir"
)

// summarize prints what has landed in a directory.
func (a *app) summarize(dir string, o resultsFlags) error {
	all, wrong, err := taskdir.Outcomes(dir)
	if err != nil {
		return err
	}
	for _, w := range wrong {
		a.note("left out: %s", cell.Printable(w))
	}
	if o.svg != "" {
		f, err := os.OpenFile(o.svg, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err == nil {
			err = errors.Join(taskdir.SVG(f, all), f.Close())
		}
		if err != nil {
			return fault.Wrap(fault.Input, unwrapPath(err), "", "draw into %s", o.svg)
		}
	}
	if o.json {
		if all == nil {
			all = []taskdir.Outcome{}
		}
		return a.json(struct {
			Version int               `json:"version"`
			Tasks   []taskdir.Outcome `json:"tasks"`
		}{1, all})
	}
	return taskdir.Table(a.out, all)
}
