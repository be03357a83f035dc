package cellfile

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"skep/internal/cell"
)

// Filling is what a new cell file says beside its name.
type Filling struct {
	Memory string          // "" leaves the default
	Image  string          // an existing disk image, or an installer's
	Format cell.DiskFormat // of the image: cell.FormatRaw or cell.FormatQcow2
	ISO    bool            // the image is an installer's
	Stored bool            // the image is the name of one in the store
	Disks  []string        // sizes of new disks
}

// Filled is Template with some lines filled in. What the filling says is not
// looked at; Parse does that.
func Filled(name string, f Filling) []byte {
	text := string(cell.Template(name))
	if f.Memory != "" {
		text = replaceLine(text, `  #memory = `, "  memory = "+quote(f.Memory))
	}
	disks := f.disks(name)
	if disks == "" {
		return []byte(text)
	}
	// The built-in guest reads no disk.
	text = replaceLine(text, `  #boot = `, `  boot = "uefi"`)
	const first = "  #disk \"disk-01\" {\n"
	return []byte(strings.Replace(text, first, disks+first, 1))
}

// disks are the blocks of the image and of the new disks. The guest's system
// is on the first of them, unless that is an installer.
func (f Filling) disks(name string) string {
	var b strings.Builder
	label := func() string {
		if !strings.Contains(b.String(), `"root"`) {
			return "root"
		}
		return fmt.Sprintf("disk-%02d", 1+strings.Count(b.String(), "  disk "))
	}
	if f.Stored {
		fmt.Fprintf(&b, "  disk %q {\n    image = %s\n  }\n", label(), quote(f.Image))
	} else if f.Image != "" && !f.ISO {
		format := ""
		if f.Format != cell.FormatRaw && f.Format != "" {
			format = fmt.Sprintf("    format = %q\n", f.Format)
		}
		file := "file"
		if format != "" {
			file = "file  "
		}
		fmt.Fprintf(&b, "  disk %q {\n    %s = %s\n%s  }\n", label(), file, quote(f.Image), format)
	}
	for _, size := range f.Disks {
		l := label()
		fmt.Fprintf(&b, "  disk %q {\n    file = %q\n    size = %s\n  }\n", l, name+"-"+l+".img", quote(size))
	}
	if f.Image != "" && f.ISO {
		fmt.Fprintf(&b, "  disk \"installer\" {\n    iso = %s # take it out once the system is installed\n  }\n", quote(f.Image))
	}
	return b.String()
}

// quote is a text as a cell file has it.
func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

// replaceLine replaces the line that begins so, and keeps a comment behind it.
func replaceLine(text, begin, line string) string {
	i := strings.Index(text, begin)
	if i < 0 {
		return text
	}
	end := i + strings.IndexByte(text[i:], '\n')
	return text[:i] + line + text[end:]
}
