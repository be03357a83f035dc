package cellfile

import (
	"bytes"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"skep/internal/cell"
)

// Format is the text of a cell file in the one layout that all cell files have.
// What the file says needs not be right, but it has to be HCL.
func Format(filename string, src []byte) ([]byte, cell.Diagnostics) {
	src, found := cell.Syntax(filename, src)
	if src == nil {
		return nil, found
	}
	text := bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	text = append(bytes.TrimSpace(hclwrite.Format(text)), '\n')
	return text, nil
}
