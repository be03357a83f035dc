package e2e

import "testing"

// TestCellInstances: one file, many cells, each with a jail, a VM and a null modem that carry its whole name.
func TestCellInstances(t *testing.T) {
	l := clean(t)
	l.cell("lab", "")
	l.must(0, "up", "lab@1", "lab@x-2")
	for _, name := range []string{"lab@1", "lab@x-2"} {
		if out, code := host(t, nil, "jls", "-j", "skep-"+name, "name"); code != 0 || !file("/dev/vmm/"+name) {
			t.Errorf("%s: %s", name, out)
		}
		l.audit(0, name)
	}
	l.must(0, "down", "lab@1")
	if r := l.must(0, "ps", "-q"); r.out != "lab@x-2\n" {
		t.Errorf("%q", r.out)
	}
	l.must(0, "down", "lab@*")
	if r := l.must(0, "ps", "-q"); r.out != "" {
		t.Errorf("%q", r.out)
	}
}
