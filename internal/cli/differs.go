package cli

import (
	"encoding/json"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/store"
)

// howToTake is what has a changed file be obeyed.
func howToTake(name string) string {
	return "its file says something else by now: skep restart " + name + " takes it"
}

// differs says whether the file of a cell that runs says something else than what
// runs. A file that is gone or cannot be read says nothing.
func differs(dirs host.Dirs, s store.State) bool {
	if s.Cell == nil || s.File == "" {
		return false
	}
	now := peek(dirs, s.File)
	return now != nil && !sameCell(now, s.Cell)
}

// sameCell compares what two cells are, wherever and in whatever order it was
// written. An accelerator that KVM's failure has chosen is none of the file's.
func sameCell(a, b *cell.Cell) bool {
	text := func(c cell.Cell) string {
		c.File, c.Sources = "", nil
		b, err := json.Marshal(c)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	one, two := *a, *b
	if one.Accel == cell.AccelAuto {
		two.Accel = one.Accel
	}
	for i := range two.NICs {
		if i < len(one.NICs) && two.NICs[i].MAC != one.NICs[i].MAC {
			return text(withoutMACs(one)) == text(withoutMACs(two))
		}
	}
	return text(one) == text(two)
}

// withoutMACs is a cell without the addresses of its cards, of which the default
// is the host's to say.
func withoutMACs(c cell.Cell) cell.Cell {
	c.NICs = append([]cell.NIC{}, c.NICs...)
	for i := range c.NICs {
		c.NICs[i].MAC = ""
	}
	return c
}
