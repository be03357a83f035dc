package cell

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// child is a kind of block within a T.
type child[T any] struct {
	shape shape
	read  func(r *reader, path string, in *hclsyntax.Block, into *T)
	write func(to *Block, from *T)
	// differ names what differs between the blocks of two, see Differences.
	differ func(path string, from, to *T) []string
}

// always is a block that is there in any case: the file only changes it.
func always[T, C any](name string, b *block[C], where func(*T) *C) child[T] {
	return child[T]{
		shape: b.shape(name, ""),
		read: func(r *reader, path string, in *hclsyntax.Block, into *T) {
			at, ok := r.single(path, in)
			c := where(into)
			if !ok {
				// Its contents are still looked at, for their own mistakes.
				spare := b.fresh()
				c = &spare
			}
			b.body(r, at, in.Body, c)
		},
		write: func(to *Block, from *T) {
			in := &Block{Type: name}
			if b.write(in, where(from)); len(in.Attrs)+len(in.Blocks) > 0 {
				to.Blocks = append(to.Blocks, in)
			}
		},
		differ: func(path string, from, to *T) []string {
			return b.differ(under(path, name), where(from), where(to))
		},
	}
}

// maybe is a block that is there or not.
func maybe[T, C any](name string, b *block[C], where func(*T) **C) child[T] {
	return child[T]{
		shape: b.shape(name, ""),
		read: func(r *reader, path string, in *hclsyntax.Block, into *T) {
			at, ok := r.single(path, in)
			c := b.fresh()
			b.body(r, at, in.Body, &c)
			if ok {
				*where(into) = &c
			}
		},
		write: func(to *Block, from *T) {
			if c := *where(from); c != nil {
				b.write(to.within(name), c)
			}
		},
		differ: func(path string, from, to *T) []string {
			return differMaybe(b, under(path, name), *where(from), *where(to))
		},
	}
}

// many is a block that may be there any number of times, each with a label of
// its own. what says what the label is, and valid whether one is good.
func many[T, C any](name, what string, valid func(string) *mistake, b *block[C], label func(*C) *string, where func(*T) *[]C) child[T] {
	return child[T]{
		shape: b.shape(name, what),
		read: func(r *reader, path string, in *hclsyntax.Block, into *T) {
			at, ok := r.labelled(path, in, what, valid)
			c := b.fresh()
			if ok {
				*label(&c) = in.Labels[0]
			}
			b.body(r, at, in.Body, &c)
			if ok {
				*where(into) = append(*where(into), c)
			}
		},
		write: func(to *Block, from *T) {
			list := *where(from)
			for i := range list {
				b.write(to.within(name, *label(&list[i])), &list[i])
			}
		},
		differ: func(path string, from, to *T) []string {
			return differMany(b, name, path, label, *where(from), *where(to))
		},
	}
}

// several is a block without a label that may be there any number of times. Its place in a cell is its number,
// from 1.
func several[T, C any](name string, b *block[C], where func(*T) *[]C) child[T] {
	return child[T]{
		shape: b.shape(name, ""),
		read: func(r *reader, path string, in *hclsyntax.Block, into *T) {
			if len(in.Labels) > 0 {
				r.report(in.LabelRanges[0], in.Type+" "+r.text(in.LabelRanges[0]),
					wrong("%s blocks take no name", in.Type).but("write %s { … }", in.Type))
			}
			at := numbered(path, name, len(*where(into)))
			r.places[at] = in.TypeRange
			c := b.fresh()
			b.body(r, at, in.Body, &c)
			*where(into) = append(*where(into), c)
		},
		write: func(to *Block, from *T) {
			list := *where(from)
			for i := range list {
				b.write(to.within(name), &list[i])
			}
		},
		differ: func(path string, from, to *T) (names []string) {
			old, now := *where(from), *where(to)
			for i := range max(len(old), len(now)) {
				names = append(names, differMaybe(b, numbered(path, name, i), nth(old, i), nth(now, i))...)
			}
			return names
		},
	}
}

func numbered(path, name string, i int) string { return under(path, fmt.Sprintf("%s.%d", name, i+1)) }

// nth is nil where there are not as many.
func nth[C any](list []C, i int) *C {
	if i >= len(list) {
		return nil
	}
	return &list[i]
}

// single notes the place of a block without a label, which may be there once.
func (r *reader) single(path string, in *hclsyntax.Block) (string, bool) {
	at := under(path, in.Type)
	if len(in.Labels) > 0 {
		r.report(in.LabelRanges[0], in.Type+" "+r.text(in.LabelRanges[0]),
			wrong("a %s block takes no name", in.Type).but("write %s { … }", in.Type))
	}
	if first, twice := r.places[at]; twice {
		r.report(in.TypeRange, "second "+in.Type+" block",
			wrong("already defined on line %d", first.Start.Line).but("put everything into one %s block", in.Type))
		return nowhere(in), false
	}
	r.places[at] = in.TypeRange
	return at, true
}

// labelled notes the place of a block with one label.
func (r *reader) labelled(path string, in *hclsyntax.Block, what string, valid func(string) *mistake) (string, bool) {
	switch n := len(in.Labels); {
	case n == 0:
		r.report(in.TypeRange, in.Type+" block", wrong("needs %s", what).
			but(`write %s "%s" { … }`, in.Type, sampleLabel(in.Type)))
		return nowhere(in), false
	case n > 1:
		r.report(in.LabelRanges[1], in.Type+" "+r.text(in.LabelRanges[1]), wrong("must have one name only"))
		return nowhere(in), false
	}
	label := in.Labels[0]
	if m := valid(label); m != nil {
		r.report(in.LabelRanges[0], in.Type+" "+r.text(in.LabelRanges[0]), m)
		return nowhere(in), false
	}
	at := under(path, in.Type+"."+label)
	if first, twice := r.places[at]; twice {
		r.report(in.LabelRanges[0], in.Type+" "+r.text(in.LabelRanges[0]),
			wrong("this name is already used on line %d", first.Start.Line))
		return nowhere(in), false
	}
	r.places[at] = in.TypeRange
	return at, true
}

func sampleLabel(blockType string) string {
	switch blockType {
	case "bridge":
		return "bridge0"
	case "nic":
		return "lan"
	}
	return blockType + "-01"
}

// nowhere is the path of a block that has no place of its own in the cell,
// because it is one too many or has no good name.
func nowhere(in *hclsyntax.Block) string {
	return fmt.Sprintf("%s@%d", in.Type, in.TypeRange.Start.Byte)
}
