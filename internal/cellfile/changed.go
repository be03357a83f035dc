package cellfile

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"skep/internal/cell"
)

// A Change is what is different in a copy of a cell file.
type Change struct {
	Name string
	// Disks are other files of disks, by label.
	Disks map[string]string
	// OwnMACs leaves out the addresses of network cards that the file gives, so that each gets one of its own.
	OwnMACs bool
}

// Changed is the text of a cell file with some of it changed: comments, order and all the rest stay as they are.
func Changed(filename string, src []byte, to Change) ([]byte, error) {
	src, found := cell.Syntax(filename, src)
	if src == nil {
		return nil, found
	}
	file, diags := hclwrite.ParseConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	for _, b := range file.Body().Blocks() {
		if b.Type() != "cell" {
			continue
		}
		b.SetLabels([]string{to.Name})
		for _, in := range b.Body().Blocks() {
			labels := in.Labels()
			switch {
			case in.Type() == "disk" && len(labels) == 1 && to.Disks[labels[0]] != "":
				in.Body().SetAttributeValue("file", cty.StringVal(to.Disks[labels[0]]))
			case in.Type() == "nic" && to.OwnMACs:
				in.Body().RemoveAttribute("mac")
			}
		}
	}
	return file.Bytes(), nil
}
