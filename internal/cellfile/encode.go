// Package cellfile writes cell files: a cell, a file in the one layout that all have, a file that is changed in a few
// places. Reading them is package cell's, which every keeper has; the library that writes is one that no keeper needs.
package cellfile

import (
	"github.com/hashicorp/hcl/v2/hclwrite"

	"skep/internal/cell"
)

// Encode writes a cell as a cell file, leaving out what is a default. Paths in it are written as they are.
func Encode(c *cell.Cell) []byte {
	file := hclwrite.NewEmptyFile()
	write(file.Body(), c.Tree())
	return hclwrite.Format(file.Bytes())
}

func write(to *hclwrite.Body, b *cell.Block) {
	in := to.AppendNewBlock(b.Type, b.Labels).Body()
	for _, a := range b.Attrs {
		in.SetAttributeValue(a.Name, a.Value)
	}
	for _, c := range b.Blocks {
		write(in, c)
	}
}
