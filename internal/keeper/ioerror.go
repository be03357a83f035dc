package keeper

import (
	"fmt"
	"strconv"
	"strings"

	"skep/internal/cell"
	"skep/internal/hypervisor"
)

// ioReason says which disk failed, and how, in one line.
func ioReason(c *cell.Cell, ev hypervisor.Event) string {
	what := "writing to it failed"
	if ev.Read {
		what = "reading it failed"
	}
	switch {
	case ev.NoSpace:
		what = "no space left on the host"
	case ev.Reason != "":
		what += ": " + strings.ToLower(ev.Reason[:1]) + ev.Reason[1:]
	}
	return fmt.Sprintf("%s: %s", diskOf(c, ev.Node), what)
}

// diskOf is a disk by the name of its node, "disk0" for the first.
func diskOf(c *cell.Cell, node string) string {
	number, _ := strings.CutPrefix(node, "disk")
	drives := c.Drives()
	if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < len(drives) {
		return "disk " + drives[i].Label
	}
	return "a disk"
}
