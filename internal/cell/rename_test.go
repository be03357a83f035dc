package cell

import "testing"

// A cell under another name has cards of its own, but for an address that its
// file gives.
func TestRenamed(t *testing.T) {
	c, diags := Parse("/x.hcl", []byte(`cell "a" {
  nic "lan" { bridge = "br0" }
  nic "wan" {
    bridge = "br1"
    mac    = "02:00:5e:10:00:01"
  }
}
`))
	if diags != nil {
		t.Fatal(diags)
	}
	r := c.Renamed("b")
	if r.Name != "b" || c.Name != "a" {
		t.Errorf("%s, %s", r.Name, c.Name)
	}
	if r.NICs[0].MAC == c.NICs[0].MAC || c.NICs[0].MAC != defaultMAC("a", "lan") {
		t.Errorf("%s, %s", r.NICs[0].MAC, c.NICs[0].MAC)
	}
	if r.NICs[1].MAC != "02:00:5e:10:00:01" {
		t.Error(r.NICs[1].MAC)
	}
}
