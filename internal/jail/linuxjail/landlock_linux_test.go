package linuxjail

import (
	"strings"
	"testing"
)

// What each ABI brought is handled from it on and not before, or the kernel takes none of the rules; of one
// that is newer than the table, what is in the table, and that is what is said.
func TestLandlockABIs(t *testing.T) {
	for _, row := range []struct {
		abi                    int
		handled, not, recorded string
	}{
		{1, "EXECUTE", "REFER", "ABI 1"},
		{6, "SIGNAL", "RESOLVE_UNIX", "ABI 6"},
		{8, "SIGNAL", "RESOLVE_UNIX", "ABI 8"},
		{9, "RESOLVE_UNIX", "BIND_UDP", "ABI 9"},
		{10, "CONNECT_SEND_UDP", "-", "ABI 10"},
		{11, "CONNECT_SEND_UDP", "-", "ABI 10; the kernel has 11, what later ones than 10 brought is not applied"},
	} {
		var all []string
		for _, table := range [][]right{fileRights, netRights, scopes} {
			all = append(all, strings.Split(known(table, row.abi).text, "|")...)
		}
		list := "|" + strings.Join(all, "|") + "|"
		if !strings.Contains(list, "|"+row.handled+"|") || strings.Contains(list, "|"+row.not+"|") {
			t.Errorf("ABI %d handles %s", row.abi, list)
		}
		if got := landlockDetail(row.abi); got != row.recorded {
			t.Errorf("ABI %d: %q", row.abi, got)
		}
	}
}
