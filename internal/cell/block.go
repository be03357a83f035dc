package cell

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// block says what one kind of block may hold and how its contents become a T
// and text again. The tables in schema.go are made of these; parsing, writing
// and the test of the manual page all walk them.
type block[T any] struct {
	attrs  []attr[T]
	blocks []child[T]
	// fresh is a T with its fixed defaults.
	fresh func() T
	// check looks at what belongs together, once all of the block is read.
	check func(r *reader, path string, v *T)
}

// attr is one attribute of a block.
type attr[T any] struct {
	name  string
	read  func(r *reader, e hclsyntax.Expression, into *T)
	value func(from *T) cty.Value
}

// at is the attribute called name, of kind k, kept where the pointer says.
func at[T, V any](name string, k kind[V], where func(*T) *V) attr[T] {
	return attr[T]{
		name: name,
		read: func(r *reader, e hclsyntax.Expression, into *T) {
			if v, ok := k.read(r, name, e); ok {
				*where(into) = v
			}
		},
		value: func(from *T) cty.Value { return k.write(*where(from)) },
	}
}

// shape is a block without its types.
type shape struct {
	name   string
	label  string // what its label is, "" when it takes none
	attrs  []string
	blocks []shape
}

func (b *block[T]) shape(name, label string) shape {
	s := shape{name: name, label: label}
	for _, a := range b.attrs {
		s.attrs = append(s.attrs, a.name)
	}
	for _, c := range b.blocks {
		s.blocks = append(s.blocks, c.shape)
	}
	return s
}

// body reads the contents of one block. path is its place in the cell.
func (b *block[T]) body(r *reader, path string, body *hclsyntax.Body, into *T) {
	s := b.shape("", "")
	for _, a := range b.attrs {
		if in, ok := body.Attributes[a.name]; ok {
			r.places[under(path, a.name)] = in.Expr.Range()
			a.read(r, in.Expr, into)
		}
	}
	for _, in := range body.Attributes {
		if !s.hasAttr(in.Name) {
			r.unknownAttr(s, in)
		}
	}
	for _, in := range body.Blocks {
		if !b.child(r, path, in, into) {
			r.unknownBlock(s, in)
		}
	}
	if b.check != nil && !r.partial {
		b.check(r, path, into)
	}
}

func (b *block[T]) child(r *reader, path string, in *hclsyntax.Block, into *T) bool {
	for _, c := range b.blocks {
		if c.shape.name == in.Type {
			c.read(r, path, in, into)
			return true
		}
	}
	return false
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (s shape) hasAttr(name string) bool {
	for _, a := range s.attrs {
		if a == name {
			return true
		}
	}
	return false
}
