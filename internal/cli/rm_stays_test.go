package cli

import (
	"strings"
	"testing"

	"skep/internal/layout"
)

// What stays of a cell that is forgotten is called what it is.
func TestStaysAs(t *testing.T) {
	for path, want := range map[string]string{
		"/s/c/" + layout.Evidence:                        "evidence",
		"/s/c/" + layout.LayerPrefix + "root.qcow2":      "it is a disk; skep rm --disks c removes it",
		"/s/c/out" + layout.ResultsSuffix:                "it is a disk",
		"/s/c/" + layout.Captures("capture-lan")[0]:      "frames",
		"/s/c/" + layout.LayerPrefix + "root.qcow2.json": "",
	} {
		if got := staysAs(path, "c"); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s stays: %q, want %q", path, got, want)
		}
	}
}
