package cell

import (
	"crypto/sha256"
	"slices"
	"strings"

	"skep/internal/address"
)

// defaultMAC makes an address from the names, so that a card keeps it for ever
// and two cells differ. It is what a card has on a host of which nothing is
// known; see WithMACs for one that is.
func defaultMAC(cell, nic string) string { return MACFrom("skep nic", cell, nic) }

// MACFrom makes an address from words. The second bit of its first byte says
// that nobody sold it.
func MACFrom(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return address.MAC{0x02, sum[0], sum[1], sum[2], sum[3], sum[4]}.String()
}

// OwnMAC says whether a card has the address that follows from the names, and
// its file gives none.
func (c *Cell) OwnMAC(n NIC) bool {
	_, given := c.Sources["nic."+n.Label+".mac"]
	return !given && n.MAC == defaultMAC(c.Name, n.Label)
}

// WithMACs is the cell with other addresses for the cards that its file gives
// none. The cell itself stays as it is.
func (c *Cell) WithMACs(of func(label string) string) *Cell {
	r := *c
	r.NICs = slices.Clone(c.NICs)
	for i, n := range c.NICs {
		if c.OwnMAC(n) {
			r.NICs[i].MAC = of(n.Label)
		}
	}
	return &r
}
