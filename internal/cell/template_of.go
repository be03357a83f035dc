package cell

import (
	"fmt"
	"slices"
)

// TemplateRef names a guest that stands still at one moment, memory and all, for others to begin from. With Make
// the cell is the one that becomes it.
type TemplateRef struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
	Make bool   `json:"make,omitempty"`
}

// maxTemplate leaves room behind the name for an @ and a number: T@1 is a clone's name.
const maxTemplate = 24

// ValidTemplate tells why s cannot be the name of a template, or nil.
func ValidTemplate(s string) error {
	if err := ValidName(s); err != nil {
		return err
	}
	if len(s) > maxTemplate {
		return fmt.Errorf("invalid name %q: has %d characters, at most %d are allowed", s, len(s), maxTemplate)
	}
	return nil
}

// Clone is the cell that begins where a template stands still: its board and cards, with what it writes in
// layers that go when it ends, on what the template has frozen. In its turn of has what clones share.
func (c *Cell) Clone(t TemplateRef, of *Cell) *Cell {
	r := *c
	r.Template, r.Accel = &t, of.Accel
	r.NICs = slices.Clone(c.NICs)
	for i, n := range r.NICs {
		for _, had := range of.NICs {
			if had.Label == n.Label {
				r.NICs[i].MAC = had.MAC // a guest knows its address, and it is in its memory
			}
		}
	}
	r.Disks = slices.Clone(c.Disks)
	for i, d := range r.Disks {
		for _, had := range of.Disks {
			if had.Label == d.Label && had.Frozen != "" {
				model := d.Model
				r.Disks[i] = had
				r.Disks[i].Model = model // or the boards differ, and that is said
			}
		}
	}
	return &r
}
