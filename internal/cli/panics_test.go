package cli

import (
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/plan"
)

// Whether a panic is seen follows from the device that the guest has.
func TestPanicsSeen(t *testing.T) {
	for _, c := range []struct {
		os, text, want string
	}{
		{"linux", "cell \"x\" {\n boot = \"uefi\"\n}", "seen where the guest has a driver"},
		{"linux", "cell \"x\" {}", "not seen"},
		{"freebsd", "cell \"x\" {\n boot = \"uefi\"\n}", "not seen"},
	} {
		facts, err := host.Reference(c.os)
		if err != nil {
			t.Fatal(err)
		}
		one, diags := cell.Parse("/x.hcl", []byte(c.text))
		if diags != nil {
			t.Fatal(diags)
		}
		p, problems := plan.Make(one, facts)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := panicsSeen(p); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s, %s: %q", c.os, c.text, got)
		}
	}
}
