package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"skep/internal/e2e/guestkernel"
)

// An ordinary user's cell has the same jail less what needs root, and run says
// what that is. With a subordinate range the hypervisor is somebody else than
// its user; without one it is that user, and that is said as well.
func TestOrdinaryUser(t *testing.T) {
	needCells(t)
	for _, subids := range []bool{false, true} {
		t.Run(fmt.Sprintf("subids=%v", subids), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.ordinary(subids)
			uid, run := l.user, l.typed
			r := run("q", "run", "hello")
			if r.code != 0 || !strings.HasPrefix(r.out, "hello from") {
				t.Fatalf("%s", r)
			}
			// What is not as root has it is named.
			if !strings.Contains(r.err, "not applied: ") {
				t.Errorf("run does not say what an ordinary user's jail lacks:\n%s", r.err)
			}
			// Nobody else gets at what is in a user's own directories.
			l.cell("shared", "access {\n  users = [\"61001\"]\n  may   = [\"read\"]\n}")
			l.ours()
			if r := run("", "up", "shared"); r.code != 2 || !strings.Contains(r.err, "cannot give others access to shared: ") {
				t.Errorf("%s", r)
			}
			if r := run("", "up", "hello"); r.code != 0 {
				t.Fatalf("%s", r)
			}
			// The store is the user's; root may read it.
			c := l.show("hello")
			if c.State != "running" {
				t.Fatalf("%s: %s", c.State, c.Reason)
			}
			s := statusOf(c.PID)
			for k, want := range map[string]string{"Seccomp": "2", "NoNewPrivs": "1", "CapPrm": zeros, "CapEff": zeros, "CapBnd": zeros} {
				if s[k] != want {
					t.Errorf("%s is %q, want %q", k, s[k], want)
				}
			}
			seenSpaces(t, c)
			seenRootfs(t, l, c)
			own := strings.Fields(s["Uid"])[0] == strconv.Itoa(uid)
			if own == subids {
				t.Errorf("the hypervisor's uids are %q, the user is %d", s["Uid"], uid)
			}
			lacks := map[string]bool{}
			for _, d := range c.Jail.Layers {
				if d.Verdict != "applied" && d.Verdict != "substituted" {
					lacks[d.ID] = true
				}
			}
			if lacks["own-uid"] == subids {
				t.Errorf("own-uid: lacking is %v with subordinate ids %v", lacks["own-uid"], subids)
			}
			for _, always := range []string{"seccomp", "private-root", "network-namespace", "capabilities", "no-new-privs", "empty-room"} {
				if lacks[always] {
					t.Errorf("%s does not need root and is not applied", always)
				}
			}
			// The user's own audit tells all of it, whoever the hypervisor is.
			if r := run("", "audit", "hello"); r.code != 0 {
				t.Errorf("the user's own audit: %s", r)
			}
			if r := run("", "down", "hello"); r.code != 0 {
				t.Errorf("%s", r)
			}
			l.nothingLeft()
			// No control group leads to a hypervisor whose keeper died before it had all of it.
			env := l.env
			l.env = append(slices.Clone(env), "SKEP_TEST_CRASH_AT=took:hypervisor")
			if r := run("", "up", "hello"); !strings.Contains(r.err, "its keeper died") {
				t.Errorf("the keeper has not died: %s", r)
			}
			l.env = env
			if r := run("", "sweep"); r.code != 0 {
				t.Errorf("%s", r)
			}
			l.nothingLeft()
		})
	}
}

// A home directory is often closed to all others (useradd's and adduser's HOME_MODE), the user of the cell
// and of its readers among them. skep itself, kernels and disks may lie in there.
func TestClosedHome(t *testing.T) {
	needCells(t)
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.ordinary(true)
	l.program = l.path("skep")
	l.copied(l.program, skep)
	kernel := l.ownKernel(k)
	l.cell("web", "accel = \"tcg\"\n"+kernelBlock(kernel))
	l.ours()
	if err := os.Chmod(l.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l.must(0, "up", "web")
	eventually(t, boot, "the log has what the kernel says", func() bool {
		r := l.must(0, "log", "web") // read by a jailed skep
		return strings.TrimSpace(r.out) != ""
	})
	l.must(0, "kill", "web")
	l.nothingLeft()
}

// ownKernel is a copy of a kernel and its initrd that the lab's user may read.
func (l *lab) ownKernel(k guestkernel.Guest) guestkernel.Guest {
	l.t.Helper()
	own := guestkernel.Guest{Image: l.path("vmlinuz"), Initrd: l.path("initrd")}
	l.copied(own.Image, k.Image)
	l.copied(own.Initrd, k.Initrd)
	return own
}

func (l *lab) copied(to, from string) {
	l.t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// seenSpaces: none of its namespaces is the host's.
func seenSpaces(t *testing.T, c cellState) {
	t.Helper()
	for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"} {
		mine, _ := os.Readlink("/proc/self/ns/" + n)
		its, err := os.Readlink(procOf(c.PID, "ns/"+n))
		if err != nil || its == mine {
			t.Errorf("its %s namespace is the host's (%v)", n, err)
		}
	}
}
