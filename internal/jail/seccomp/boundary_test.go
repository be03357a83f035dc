package seccomp

import (
	"slices"
	"testing"
)

// kinds are the ways in which a call can come: an architecture and what is set in its number.
var kinds = []struct {
	name string
	arch uint32
	bit  uint32
}{{"amd64", auditAMD64, 0}, {"i386", auditI386, 0}, {"x32", auditAMD64, 0x40000000}, {"arm64", auditARM64, 0}, {"arm", auditARM, 0}}

// granted: the call is made, at once or after a question.
func granted(action uint32) bool { return action == retAllow || action == retNotify }

// All numbers to 1023, of every kind, with every boundary value in all arguments at once, do what the
// model says; and whatever its number and its arguments, no call of another kind than the filter's own
// is granted: one that is denied is denied under every architecture.
func TestBoundariesOfEveryKind(t *testing.T) {
	for _, name := range []string{"bare", "all"} {
		p := policies()[name]
		values := boundaries(p)
		slices.Sort(values)
		few := values
		if len(few) > 24 {
			few = append(slices.Clone(values[:12]), values[len(values)-12:]...)
		}
		for _, a := range []Arch{AMD64, ARM64} {
			m := load(t, p, a)
			bad := 0
			for n := range uint32(1024) {
				for _, kind := range kinds {
					own := kind.name == a.Name
					at := few
					if own && !testing.Short() {
						at = values
					}
					for _, v := range at {
						d := data{number: n | kind.bit, arch: kind.arch, args: [6]uint64{v, v, v, v, v, v}}
						got, want := m.run(t, d), model(p, a, d)
						if got != want && bad < 5 {
							bad++
							t.Errorf("%s for %s: call %d of %s with %#x: %#x, want %#x", name, a.Name, n, kind.name, v, got, want)
						}
						if !own && granted(got) && bad < 5 {
							bad++
							t.Errorf("%s for %s: call %d of %s is granted with %#x", name, a.Name, n, kind.name, v)
						}
					}
				}
			}
		}
	}
}

// A call is granted on one architecture if it is on the other, where both have it: a table that is
// right by name cannot be wrong by number.
func TestSameCallsOnBoth(t *testing.T) {
	for name, p := range policies() {
		values := boundaries(p)
		m := map[string]machine{"amd64": load(t, p, AMD64), "arm64": load(t, p, ARM64)}
		ever := func(a Arch, n uint32) bool {
			for _, v := range values {
				if m[a.Name].run(t, data{number: n, arch: a.audit, args: [6]uint64{v, v, v, v, v, v}}) == retAllow {
					return true
				}
			}
			return false
		}
		for _, call := range Calls() {
			x, onAMD := AMD64.Number(call)
			y, onARM := ARM64.Number(call)
			if onAMD && onARM && ever(AMD64, x) != ever(ARM64, y) {
				t.Errorf("%s: %s is granted on one architecture only", name, call)
			}
		}
	}
}
