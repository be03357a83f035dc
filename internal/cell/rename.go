package cell

import "slices"

// Renamed is the cell under another name, with what follows from a name: the
// addresses of cards that the file gives none. The cell itself stays as it is.
func (c *Cell) Renamed(name string) *Cell {
	r := *c
	if r.NameInFile == "" {
		r.NameInFile = c.Name
	}
	r.Name = name
	r.NICs = slices.Clone(c.NICs)
	for i, n := range c.NICs {
		if n.MAC == defaultMAC(c.Name, n.Label) {
			r.NICs[i].MAC = defaultMAC(name, n.Label)
		}
	}
	return &r
}
