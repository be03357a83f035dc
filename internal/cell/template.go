package cell

import (
	_ "embed"
	"strings"
)

//go:embed template.hcl
var template string

// Template is the text of a new cell file: all that a cell may have, commented
// out, so that the file says no more than the name. The name must be valid.
func Template(name string) []byte {
	return []byte(strings.ReplaceAll(template, "NAME", name))
}
