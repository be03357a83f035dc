package e2e

import (
	"encoding/json"
	"testing"
)

// An ordinary user's guest has a TPM too, whose process has a number of the user's own where there are some, and the
// user's where there are none; what it knows goes back with a snapshot.
func TestTPMAsAnOrdinaryUser(t *testing.T) {
	k := needKernel(t)
	needTPM(t)
	t.Parallel()
	for _, tt := range []struct {
		name   string
		subids bool
	}{{"numbers", true}, {"none", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.ordinary(tt.subids)
			body := "accel = \"tcg\"\nmemory = \"192M\"\ntpm {}\n"
			if tt.subids {
				body += "disk \"root\" {\n  base = \"" + l.baseImage("base.img", "of the base", 16<<20) + "\"\n}\n" + kernelBlock(l.ownKernel(k))
			}
			l.cell("t", body)
			l.ours()
			l.must(0, "up", "t")
			var s struct{ Services []struct{ UID int } }
			l.try(json.Unmarshal([]byte(l.must(0, "show", "--json", "t").out), &s))
			if len(s.Services) != 1 || (s.Services[0].UID != l.user) != tt.subids {
				t.Errorf("%+v, and the user is %d", s.Services, l.user)
			}
			if tt.subids {
				c := l.console("t")
				c.expect(boot, "guest: ready")
				ask := func(order, answer string) {
					t.Helper()
					c.send(order + "\n")
					c.expect(slow, "guest: "+answer)
				}
				ask("tpm", "tpm reset 1 times")
				l.must(0, "snapshot", "t", "a")
				l.must(0, "revert", "t", "a")
				ask("tpm", "tpm reset 1 times")
			}
			l.audit(0, "t")
			l.must(0, "kill", "t")
			l.nothingLeft()
		})
	}
}
