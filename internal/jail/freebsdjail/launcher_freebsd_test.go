package freebsdjail

import (
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"skep/internal/jailparam"
)

func TestMain(m *testing.M) {
	LaunchIfAsked()
	os.Exit(m.Run())
}

var names = regexp.MustCompile(`\([^)]*\)`)

// Who a program in a jail is, and that it has no group of whoever started it: in a jail whose root
// has rights, and in one whose root has none, as where anybody may make a VM.
func TestLauncherTakesTheCellsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a jail")
	}
	for _, c := range []struct {
		name  string
		suser bool
		uid   int
		want  string
	}{
		{"root", true, 0, "uid=0 gid=0"},
		{"own user", true, 2100000321, "uid=2100000321 gid=2100000321"},
		{"own user, root without rights", false, 2100000321, "uid=2100000321 gid=2100000321"},
	} {
		t.Run(c.name, func(t *testing.T) {
			jid, err := CreatePrison([]jailparam.Param{
				jailparam.String("name", "skep-test-launcher"), jailparam.String("path", "/"), jailparam.Bool("persist", true),
				jailparam.Bool("allow.suser", c.suser),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := RemovePrison(jid); err != nil {
					t.Error(err)
				}
			})
			said, err := os.CreateTemp(t.TempDir(), "said")
			if err != nil {
				t.Fatal(err)
			}
			defer said.Close()
			child, err := Prepare(t.Context(), Launch{JID: jid, Path: "/usr/bin/id", Argv: []string{"id"}, UID: c.uid, GID: c.uid, Stderr: said})
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Go(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-child.Exited():
			case <-time.After(20 * time.Second):
				child.Kill()
				t.Fatal("id does not end")
			}
			b, err := io.ReadAll(io.NewSectionReader(said, 0, 4096))
			// A name stands behind the numbers that have one. Up to FreeBSD 14 the first of the
			// groups is the effective one; from 15 on there are none besides it.
			got := strings.TrimSpace(names.ReplaceAllString(string(b), ""))
			got = strings.TrimSuffix(got, " groups="+strconv.Itoa(c.uid))
			if err != nil || got != c.want || child.Exit().Code != 0 {
				t.Errorf("it is %q, %v, %+v; want %q", got, err, child.Exit(), c.want)
			}
		})
	}
}
