package bait

import (
	"os"
	"slices"
	"strconv"
	"testing"

	"skep/internal/jail/freebsdjail"
	"skep/internal/jaillist"
	"skep/internal/jailparam"
)

// A drill that was killed leaves its jail; the next one removes it, and no jail of a drill that runs.
func TestBaitOfAKilledDrill(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("jails are root's")
	}
	made := map[string]int{}
	for _, name := range []string{baitJail + "2000000000", baitJail + strconv.Itoa(os.Getpid())} {
		jid, err := freebsdjail.CreatePrison([]jailparam.Param{
			jailparam.String("name", name), jailparam.String("path", t.TempDir()), jailparam.Bool("persist", true),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer freebsdjail.RemovePrison(jid)
		made[name] = jid
	}
	if err := clearLeft(); err != nil {
		t.Fatal(err)
	}
	left, err := jaillist.List()
	if err != nil {
		t.Fatal(err)
	}
	for name, jid := range made {
		there := slices.ContainsFunc(left, func(j jailparam.Running) bool { return j.JID == jid })
		if there != (name != baitJail+"2000000000") {
			t.Errorf("%s is there: %v", name, there)
		}
	}
}
