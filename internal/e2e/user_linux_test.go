package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An ordinary user's cell has the same jail less what needs root, and run says
// what that is. With a subordinate range the hypervisor is somebody else than
// its user; without one it is that user, and that is said as well.
func TestOrdinaryUser(t *testing.T) {
	needCells(t)
	if f, _ := facts(); f.Linux.UserNSOff != "" || f.Linux.UserNSRestricted {
		t.Skip("this host lets ordinary users have no user namespace")
	}
	for _, tool := range []string{"unshare", "setpriv", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool + " of util-linux")
		}
	}
	const subBase = 1_900_000_000
	for _, subids := range []bool{false, true} {
		t.Run(fmt.Sprintf("subids=%v", subids), func(t *testing.T) {
			if _, err := exec.LookPath("newuidmap"); subids && err != nil {
				t.Skip("needs newuidmap: apt install uidmap")
			}
			t.Parallel()
			l := newLab(t)
			uid := l.uidBase + labUIDs - 1 // nobody's, and seen as this lab's
			passwd := l.write("passwd", fmt.Sprintf("root:x:0:0::/root:/bin/sh\nlabrat:x:%d:%d::%s:/bin/sh\n", uid, uid, l.dir))
			ranges := ""
			if subids {
				ranges = fmt.Sprintf("labrat:%d:65536\n", subBase)
			}
			sub := l.write("subid", ranges)
			if err := os.Chown(l.dir, uid, uid); err != nil {
				t.Fatal(err)
			}
			run := func(stdin string, args ...string) result {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				// The accounts are this one process's: a mount namespace of its own.
				script := `mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/subuid && mount --bind "$2" /etc/subgid && shift 2 && exec setpriv "$@"`
				cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "--propagation", "private", "sh", "-ec", script, "sh", passwd, sub,
					"--reuid=" + strconv.Itoa(uid), "--regid=" + strconv.Itoa(uid), "--clear-groups", "--inh-caps=-all", skep}, args...)...)
				cmd.Dir = l.dir
				cmd.Env = append(l.env, "PATH="+os.Getenv("PATH"), "HOME="+l.dir)
				cmd.Stdin = strings.NewReader(stdin)
				var out, errs strings.Builder
				cmd.Stdout, cmd.Stderr = &out, &errs
				err := cmd.Run()
				return result{code(t, err), out.String(), errs.String()}
			}
			r := run("q", "run", "hello")
			if r.code != 0 || !strings.HasPrefix(r.out, "hello from") {
				t.Fatalf("%s", r)
			}
			// What is not as root has it is named.
			if !strings.Contains(r.err, "not applied: ") {
				t.Errorf("run does not say what an ordinary user's jail lacks:\n%s", r.err)
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
			seenRoom(t, l, c)
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
