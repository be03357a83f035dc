package cell

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// What the guest sees as a disk and skep makes: files of the host's, and the seed of cloud-init.

var filesBlock = block[Files]{
	attrs: []attr[Files]{
		at("paths", list(filePath, true), func(f *Files) *[]string { return &f.Paths }),
		at("as", choice("iso"), func(f *Files) *string { return &f.As }),
		at("model", choice("virtio", "ahci"), func(f *Files) *string { return &f.Model }),
	},
	fresh: func() Files { return Files{As: "iso", Model: "virtio"} },
	check: checkFiles,
}

var seedBlock = block[Seed]{
	attrs: []attr[Seed]{
		at("user_data", document, func(s *Seed) *Text { return &s.UserData }),
		at("meta_data", document, func(s *Seed) *Text { return &s.MetaData }),
		at("network", document, func(s *Seed) *Text { return &s.Network }),
		at("ssh_keys", list(text(sshKeyRule), true), func(s *Seed) *[]string { return &s.SSHKeys }),
		at("hostname", text(hostnameRule), func(s *Seed) *string { return &s.Hostname }),
		at("sinkhole_ca", boolean, func(s *Seed) *bool { return &s.SinkholeCA }),
		at("model", choice("virtio", "ahci"), func(s *Seed) *string { return &s.Model }),
	},
	fresh: func() Seed { return Seed{Model: "virtio"} },
	check: checkSeed,
}

var resultsBlock = block[Results]{
	attrs: []attr[Results]{
		at("size", size(64*MiB, 64*GiB, MiB), func(r *Results) *Size { return &r.Size }),
		at("format", choice(ResultsTar, ResultsFAT, ResultsExt4), func(r *Results) *ResultsFormat { return &r.Format }),
		at("model", choice("virtio", "ahci", "nvme"), func(r *Results) *string { return &r.Model }),
	},
	fresh: func() Results { return Results{Size: 256 * MiB, Format: ResultsTar, Model: "virtio"} },
}

// filePath is the path of something that is put on an image: it is on no command line, and may have a comma.
var filePath = kind[string]{
	read: func(r *reader, name string, e hclsyntax.Expression) (string, bool) {
		p, ok := text(plainPath).read(r, name, e)
		if !ok {
			return "", false
		}
		p = filepath.Clean(r.abs(p))
		if filepath.Dir(p) == p {
			r.value(e.Range(), name, wrong("must not be the root directory"))
			return "", false
		}
		return p, true
	},
	write: cty.StringVal,
}

func plainPath(p string) *mistake {
	switch {
	case p == "":
		return wrong("must not be empty")
	case len(p) > maxPath:
		return wrong("the path has %d characters, at most %d are allowed", len(p), maxPath)
	case strings.HasPrefix(p, "~"):
		return wrong("~ is not expanded").but("write the full path")
	}
	return nil
}

// document is a text of several lines, or the path of the file that holds it.
var document = kind[Text]{
	read: func(r *reader, name string, e hclsyntax.Expression) (Text, bool) {
		v, ok := r.literal(name, e)
		if !ok {
			return Text{}, false
		}
		if v.Type() != cty.String {
			r.value(e.Range(), name, mustBe("text in quotes"))
			return Text{}, false
		}
		s := v.AsString()
		if m := documentRule(s); m != nil {
			r.report(e.Range(), name, m) // without the text, in which there may be passwords
			return Text{}, false
		}
		if strings.Contains(s, "\n") {
			return Text{Inline: s}, true
		}
		p, ok := filePath.read(r, name, e)
		return Text{Path: p}, ok
	},
	write: func(t Text) cty.Value { return cty.StringVal(t.Path + t.Inline) },
}

// documentRule: what is not text at all is most likely a mistake, and cloud-init stops at a zero byte.
func documentRule(s string) *mistake {
	for i, r := range s {
		if r == 0 {
			return wrong("must not contain a zero byte, as it does in line %d of it", 1+strings.Count(s[:i], "\n"))
		}
		if unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) {
			return wrong("must not contain control characters, as it does in line %d of it", 1+strings.Count(s[:i], "\n"))
		}
	}
	return nil
}

// sshKeyRule knows a line of authorized_keys by its kind of key.
func sshKeyRule(s string) *mistake {
	if strings.HasPrefix(s, "-----BEGIN") {
		return wrong("must be a public key").but("the public key is in the file whose name ends in .pub")
	}
	for _, word := range strings.Fields(s) {
		for _, kind := range []string{"ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"} {
			if strings.HasPrefix(word, kind) {
				return nil
			}
		}
	}
	return wrong("must be a public key as a line of authorized_keys has it").but("such as the text of ~/.ssh/id_ed25519.pub")
}

func hostnameRule(s string) *mistake {
	if len(s) > 253 {
		return wrong("has %d characters, at most 253 are allowed", len(s))
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return wrong("must be a host name: parts of 1 to 63 characters with dots between them")
		}
		for i := range len(label) {
			if !letter(label[i]) && !digit(label[i]) && label[i] != '-' {
				return wrong("must consist of letters, digits, - and dots")
			}
		}
	}
	return nil
}

func checkFiles(r *reader, path string, f *Files) {
	at := under(path, "paths")
	if !r.said(at) {
		r.need(path, "paths", `paths = ["sample.bin"]`)
		return
	}
	if len(f.Paths) == 0 && !r.bad(at) {
		r.at(at, "paths", wrong("must not be empty"))
	}
	names := map[string]string{}
	for _, p := range f.Paths {
		name := filepath.Base(p)
		if first, twice := names[name]; twice && !r.bad(at) {
			r.at(at, "paths", wrong("%s and %s have the same name, and each is in the image by its name", first, p).
				but("rename one, or use a second files block"))
		}
		names[name] = p
	}
}

// checkTrust reports a seed that has the guest trust an authority that there is not.
func checkTrust(r *reader, c *Cell) {
	const at = "seed.sinkhole_ca"
	if c.Seed == nil || !c.Seed.SinkholeCA || r.bad(at) {
		return
	}
	for _, n := range c.NICs {
		if n.Network == NetworkSinkhole {
			return
		}
	}
	r.at(at, "sinkhole_ca", wrong("no nic of this cell is on a sinkhole").but(`add nic "lan" { network = "sinkhole" }`))
}

func checkSeed(r *reader, path string, s *Seed) {
	if !r.said(under(path, "meta_data")) {
		return
	}
	for _, attr := range []string{"ssh_keys", "hostname"} {
		if at := under(path, attr); r.said(at) {
			r.at(at, attr, wrong("cannot be combined with meta_data, which is where it would be written").
				but("put it into meta_data, or leave that out"))
		}
	}
}

// checkLabels reports two drives of one label: a guest finds a drive by it, and so does skep.
func checkLabels(r *reader, c *Cell) {
	first := map[string]string{}
	for _, d := range c.Drives() {
		other, twice := first[d.Label]
		if !twice {
			first[d.Label] = d.Block()
			continue
		}
		what := fmt.Sprintf("%s %q", kindOf(d.Block()), d.Label)
		if d.Made == MadeSeed {
			what = "seed block"
		}
		r.at(d.Block(), what, wrong("the name is already used on line %d", r.places[other].Start.Line).
			but("each disk of a guest has a name of its own"))
	}
}
