package cell

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format is the text of a cell file in the one layout that all cell files have.
// What the file says needs not be right, but it has to be HCL.
func Format(filename string, src []byte) ([]byte, Diagnostics) {
	r := &reader{file: filename, src: bytes.TrimPrefix(src, bom), places: map[string]hcl.Range{}}
	if r.syntax() == nil || r.partial {
		return nil, r.found.sorted()
	}
	text := bytes.ReplaceAll(r.src, []byte("\r\n"), []byte("\n"))
	text = append(bytes.TrimSpace(hclwrite.Format(text)), '\n')
	return text, nil
}
