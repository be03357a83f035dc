package cell

import (
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Encode writes a cell as a cell file, leaving out what is a default. Paths in
// it are written as they are, so those of a cell that was parsed from a relative
// name should be made absolute first.
func Encode(c *Cell) []byte {
	file := hclwrite.NewEmptyFile()
	bare := strip(c)
	cellBlock.write(file.Body().AppendNewBlock("cell", []string{c.Name}).Body(), &bare)
	return hclwrite.Format(file.Bytes())
}

// write adds to a body what differs from the defaults.
func (b *block[T]) write(to *hclwrite.Body, from *T) {
	fresh := b.fresh()
	for _, a := range b.attrs {
		if v := a.value(from); !v.RawEquals(a.value(&fresh)) {
			to.SetAttributeValue(a.name, v)
		}
	}
	for _, c := range b.blocks {
		c.write(to, from)
	}
}

// strip is complete the other way round: a copy of c without the values that
// complete would fill in again.
func strip(c *Cell) Cell {
	bare := *c
	if c.Memory == defaultMemory(c) {
		bare.Memory = 0
	}
	bare.Disks = nil
	for _, d := range c.Disks {
		if d.Format == defaultFormat(&d) {
			d.Format = ""
		}
		if d.ISO != "" {
			d.ReadOnly = false
		}
		if d.Model == defaultModel(&d) {
			d.Model = ""
		}
		bare.Disks = append(bare.Disks, d)
	}
	bare.NICs = nil
	for _, n := range c.NICs {
		if n.MAC == defaultMAC(c.Name, n.Label) {
			n.MAC = ""
		}
		bare.NICs = append(bare.NICs, n)
	}
	limits := &bare.Jail.Limits
	if limits.MemoryOverhead == defaultOverhead(c) {
		limits.MemoryOverhead = 0
	}
	if limits.Processes == defaultProcesses(c) {
		limits.Processes = 0
	}
	if limits.OpenFiles == defaultOpenFiles(c) {
		limits.OpenFiles = 0
	}
	return bare
}
