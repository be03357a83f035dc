package cli

import (
	"fmt"
	"strings"
)

// parseLocation finds bus/slot/function in what the kernel says of a device's
// place: "slot=0 function=0 dbsf=pci0:2:0:0 handle=…". bhyve can reach the
// devices of domain 0 alone.
func parseLocation(s string) (string, error) {
	for word := range strings.FieldsSeq(s) {
		place, ok := strings.CutPrefix(word, "dbsf=pci")
		if !ok {
			continue
		}
		parts := strings.Split(place, ":")
		if len(parts) != 4 {
			break
		}
		if parts[0] != "0" {
			return "", fmt.Errorf("it is in PCI domain %s, and bhyve reaches domain 0 only", parts[0])
		}
		return strings.Join(parts[1:], "/"), nil
	}
	return "", fmt.Errorf("the kernel does not say where it is: %q", s)
}
