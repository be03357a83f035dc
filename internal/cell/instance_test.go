package cell

import (
	"strings"
	"testing"
)

func TestValidInstance(t *testing.T) {
	for name, want := range map[string]string{
		"lab":                            "",
		"lab@1":                          "",
		"lab@a-B_9":                      "",
		strings.Repeat("x", 30) + "@1":   "",
		strings.Repeat("x", 31) + "@1":   "has 33 characters with its name",
		strings.Repeat("x", 33) + "@1":   "has 33 characters, at most 32",
		"lab@":                           "something must follow",
		"@1":                             "must not be empty",
		"lab@1@2":                        "must consist of letters, digits, - and _",
		"lab@-1":                         "must start with a letter or a digit",
		"lab@a.b":                        "must consist of",
		"lab@a/b":                        "must consist of",
		"1@1":                            "must start with a letter",
		"lab@" + strings.Repeat("x", 99): "at most 32 are allowed",
	} {
		err := ValidInstance(name)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// What only one cell at a time can have is refused at its line, all of it in
// one pass; what instances share or have of their own is not.
func TestInstance(t *testing.T) {
	for body, want := range map[string]string{
		"":                             "",
		`disk "a" { iso = "a.iso" }`:   "",
		`nic "lan" { bridge = "br0" }`: "",
		`screen {}`:                    "",
		`boot = "uefi"`:                "",
		"disk \"a\" {\n file = \"a.img\"\n read_only = true\n}":             "",
		`disk "a" { file = "a.img" }`:                                       "2:19: cannot start lab@1: all instances would write to this file",
		`disk "a" { zvol = "tank/a" }`:                                      "would write to this volume",
		`disk "a" { device = "/dev/sdz" }`:                                  "would write to this device",
		`nic "lan" { tap = "tap0" }`:                                        "a tap has one guest",
		"nic \"lan\" {\n bridge = \"br0\"\n mac = \"02:00:00:00:00:01\"\n}": "would have this address",
		`screen { listen = "127.0.0.1:5900" }`:                              "one cell can listen there",
		`gdb { listen = "127.0.0.1:1234" }`:                                 "one cell can listen there",
		`console { device = "/dev/nmdm-xA" }`:                               "a null modem has one guest",
		`passthru "gpu" { pci = "3/0/0" }`:                                  "a PCI device has one guest",
		`jail { root = "/jails/x" }`:                                        "the root of one cell",
	} {
		c, diags := Parse("lab.hcl", []byte("cell \"lab\" {\n"+body+"\n}\n"))
		if diags.Err() != nil {
			t.Errorf("%s: %v", body, diags)
			continue
		}
		one, diags := c.Instance("1")
		switch {
		case want == "" && (diags.Err() != nil || one.Name != "lab@1" || one.NameInFile != "lab"):
			t.Errorf("%s: %v, %+v", body, diags, one)
		case want != "" && (len(diags) != 1 || !strings.Contains(diags.Error(), want) || diags[0].Hint == ""):
			t.Errorf("%s: %v, want %q", body, diags, want)
		}
	}
	c, _ := Parse("lab.hcl", []byte("cell \"lab\" {\n nic \"a\" { tap = \"t0\" }\n nic \"b\" { tap = \"t1\" }\n}\n"))
	if _, diags := c.Instance("1"); len(diags) != 2 {
		t.Errorf("%v", diags)
	}
}

// Each instance has cards with addresses of their own.
func TestInstanceAddresses(t *testing.T) {
	c, _ := Parse("lab.hcl", []byte("cell \"lab\" {\n nic \"lan\" { bridge = \"br0\" }\n}\n"))
	seen := map[string]bool{c.NICs[0].MAC: true}
	for _, id := range []string{"1", "2", "x"} {
		one, _ := c.Instance(id)
		if seen[one.NICs[0].MAC] {
			t.Errorf("%s has an address that another one has", id)
		}
		seen[one.NICs[0].MAC] = true
	}
}
