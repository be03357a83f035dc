package cell

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// bootWords are the ways to boot that a cell file has a word for.
var bootWords = []string{string(BootHello), string(BootUEFI), string(BootBIOS), string(BootLoader)}

// boot is one of those words or the path of a firmware file. A path is told from
// a misspelt word by a slash or a dot in it.
var boot = kind[Boot]{
	read: func(r *reader, name string, e hclsyntax.Expression) (Boot, bool) {
		word, ok := text(bootRule).read(r, name, e)
		if !ok {
			return Boot{}, false
		}
		if slices.Contains(bootWords, word) {
			return Boot{Kind: BootKind(word)}, true
		}
		p, ok := path().read(r, name, e)
		return Boot{Kind: BootFirmware, Path: p}, ok
	},
	write: func(b Boot) cty.Value {
		switch b.Kind {
		case BootFirmware:
			return cty.StringVal(b.Path)
		case BootKernel:
			// The kernel block says it, and boot stays at its default.
			return cty.StringVal(string(BootHello))
		}
		return cty.StringVal(string(b.Kind))
	},
}

func bootRule(s string) *mistake {
	if slices.Contains(bootWords, s) || strings.ContainsAny(s, "/.") {
		return nil
	}
	m := wrong("must be %s or the path of a firmware file", strings.Join(inQuotes(bootWords), ", "))
	if s == string(BootKernel) {
		return m.but(`write kernel { image = "vmlinuz" } instead`)
	}
	if c := closest(s, bootWords); c != "" {
		return m.but("did you mean %q?", c)
	}
	if s == "" {
		return m
	}
	return m.but("for a file next to the cell file write %q", "./"+s)
}

// layerName is the name of a layer of the jail, where the names are known.
var layerName = kind[string]{
	read: func(r *reader, name string, e hclsyntax.Expression) (string, bool) {
		return text(notEmpty, func(s string) *mistake {
			if len(r.layers) == 0 || slices.Contains(r.layers, s) {
				return nil
			}
			m := wrong("the jail has no such layer")
			if c := closest(s, r.layers); c != "" {
				return m.but("did you mean %q?", c)
			}
			return m.but("the layers are %s", strings.Join(r.layers, ", "))
		}).read(r, name, e)
	},
	write: cty.StringVal,
}

func notEmpty(s string) *mistake {
	if s == "" {
		return wrong("must not be empty")
	}
	return short(s)
}

// short keeps an argument far from the limit of one string of an argument list.
func short(s string) *mistake {
	if len(s) > 4096 {
		return wrong("has %d characters, at most 4096 are allowed", len(s))
	}
	return nil
}

// envRule is for the variables that bhyveload(8) takes with -e.
func envRule(s string) *mistake {
	if name, _, ok := strings.Cut(s, "="); !ok || name == "" {
		return wrong("must be name=value")
	}
	return short(s)
}
