package cell

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// otherNames are what other tools call things.
var otherNames = map[string]string{
	"cpu": "cpus", "vcpu": "cpus", "vcpus": "cpus", "cores": "cpus",
	"mem": "memory", "ram": "memory",
	"firmware": "boot", "bios": "boot", "bootrom": "boot", "uefi": "boot",
	"vnc": "screen", "graphics": "screen", "framebuffer": "screen",
	"network": "nic", "net": "nic", "interface": "nic",
	"volume": "disk", "drive": "disk", "cdrom": "disk",
	"append": "cmdline", "initramfs": "initrd", "password": "password_file",
	"path": "file", "image": "file", "readonly": "read_only", "autostart": "start",
	"resolution": "width", "port": "listen", "address": "listen", "serial": "console",
}

func (s shape) names() []string {
	names := slices.Clone(s.attrs)
	for _, b := range s.blocks {
		names = append(names, b.name)
	}
	return names
}

func (s shape) block(name string) (shape, bool) {
	for _, b := range s.blocks {
		if b.name == name {
			return b, true
		}
	}
	return shape{}, false
}

// unknownAttr reports an attribute that the block does not have.
func (r *reader) unknownAttr(s shape, in *hclsyntax.Attribute) {
	if b, ok := s.block(in.Name); ok {
		r.report(in.NameRange, in.Name, wrong("this is a block, not an attribute").but("write %s", b.sample()))
		return
	}
	r.add(in.NameRange, "unknown attribute "+in.Name, s.hint(in.Name))
}

// unknownBlock reports a block that the block does not have.
func (r *reader) unknownBlock(s shape, in *hclsyntax.Block) {
	if s.hasAttr(in.Type) {
		r.report(in.TypeRange, in.Type, wrong("this is an attribute, not a block").but("write %s = …", in.Type))
		return
	}
	r.add(in.TypeRange, "unknown block "+in.Type, s.hint(in.Type))
}

// strayBlock reports a block at the top of a file.
func (r *reader) strayBlock(in *hclsyntax.Block) {
	m := wrong("a file may contain one cell block and nothing else")
	if _, ok := cellBlock.shape("cell", "").block(in.Type); ok {
		m.but(`put it into cell "name" { … }`)
	} else if closest(in.Type, []string{"cell"}) != "" || in.Type == "vm" {
		m.but("did you mean cell?")
	}
	r.report(in.TypeRange, in.Type, m)
}

// hint is the name that was meant; if that is anyone's guess, where the name
// belongs; and else what there is, if that is little.
func (s shape) hint(name string) string {
	names := s.names()
	if other := otherNames[name]; slices.Contains(names, other) {
		return didYouMean(other)
	}
	if owner := cellBlock.shape("cell", "").owner(name); owner != "" && owner != s.name {
		return name + " belongs in a " + owner + " block"
	}
	if c := closest(name, names); c != "" {
		return didYouMean(c)
	}
	if len(names) <= 10 {
		return "allowed here: " + enumerate(names, "and")
	}
	return "see skep.hcl(5) for all attributes and blocks"
}

// owner is the block that has such an attribute or block, the outermost first.
func (s shape) owner(name string) string {
	if slices.Contains(s.names(), name) {
		return s.name
	}
	for _, b := range s.blocks {
		if o := b.owner(name); o != "" {
			return o
		}
	}
	return ""
}

// sample is how such a block is written.
func (s shape) sample() string {
	if s.label == "" {
		return s.name + " { … }"
	}
	return s.name + ` "` + sampleLabel(s.name) + `" { … }`
}
