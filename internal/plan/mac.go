package plan

import (
	"strconv"

	"skep/internal/cell"
	"skep/internal/host"
)

// macOf is the address of a card that the cell file gives none: the one it had,
// or one that no cell of that name has on another host or of another user.
func macOf(name, label string, h host.Facts) string {
	if mac, ok := h.MACs[label]; ok {
		return mac
	}
	if h.Identity == "" {
		return cell.MACFrom("skep nic", name, label)
	}
	return cell.MACFrom("skep nic", h.Identity, strconv.Itoa(h.EUID), name, label)
}

// macFor is the same with the manufacturer's half that the cell file may ask for.
func macFor(c *cell.Cell, h host.Facts) func(label string) string {
	return func(label string) string { return c.Identity.Branded(macOf(c.Name, label, h)) }
}

// MACs are the addresses of a cell's cards on a host, by label.
func MACs(c *cell.Cell, h host.Facts) map[string]string {
	all := map[string]string{}
	for _, n := range c.WithMACs(macFor(c, h)).NICs {
		all[n.Label] = n.MAC
	}
	return all
}
