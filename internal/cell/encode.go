package cell

import "github.com/zclconf/go-cty/cty"

// A Block is a block of a cell file as it is to be written; package cellfile writes it.
type Block struct {
	Type   string
	Labels []string
	Attrs  []Attr
	Blocks []*Block
}

// An Attr is an attribute in a Block.
type Attr struct {
	Name  string
	Value cty.Value
}

// Tree is a cell as its file says it, without what is a default. Paths in it are as they are, so those of a cell
// that was parsed from a relative name should be made absolute first.
func (c *Cell) Tree() *Block {
	bare := strip(c)
	tree := &Block{Type: "cell", Labels: []string{c.Name}}
	cellBlock.write(tree, &bare)
	return tree
}

// within adds a block within another one.
func (b *Block) within(name string, labels ...string) *Block {
	in := &Block{Type: name, Labels: labels}
	b.Blocks = append(b.Blocks, in)
	return in
}

// write adds to a block what differs from the defaults.
func (b *block[T]) write(to *Block, from *T) {
	fresh := b.fresh()
	for _, a := range b.attrs {
		if v := a.value(from); !v.RawEquals(a.value(&fresh)) {
			to.Attrs = append(to.Attrs, Attr{a.name, v})
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
