package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A live cell seen from outside, with nothing of skep's in between: /proc says
// what its hypervisor is, and what every other process of the host is not.
func TestSeenFromOutside(t *testing.T) {
	needCells(t)
	for _, accel := range []string{"tcg", "kvm"} {
		t.Run(accel, func(t *testing.T) {
			if accel == "kvm" {
				needKVM(t)
			}
			t.Parallel()
			l := newLab(t)
			l.cell("seen", fmt.Sprintf("accel = %q\nscreen {}\ndisk \"d\" {\n file = %q\n size = \"1M\"\n}", accel, l.path("d.img")))
			l.must(0, "up", "seen")
			c := l.show("seen")
			if c.State != "running" || c.Accel != accel {
				t.Fatalf("%s, %s", c.State, c.Accel)
			}
			seenStatus(t, c)
			seenAlone(t, c)
			seenRootfs(t, l, c)
			seenDescriptors(t, l, c)
			l.must(0, "down", "seen")
			l.nothingLeft()
		})
	}
}

func procOf(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// seenStatus: who it is, and what it may.
func seenStatus(t *testing.T, c cellState) {
	s := statusOf(c.PID)
	id := strings.Repeat(strconv.Itoa(c.UID)+"\t", 4)
	for k, want := range map[string]string{
		"Seccomp": "2", "NoNewPrivs": "1", "Groups": "",
		"CapInh": zeros, "CapPrm": zeros, "CapEff": zeros, "CapBnd": zeros, "CapAmb": zeros,
		"Uid": strings.TrimSpace(id), "Gid": strings.TrimSpace(id),
	} {
		if s[k] != want {
			t.Errorf("%s is %q, want %q", k, s[k], want)
		}
	}
	limits, err := os.ReadFile(procOf(c.PID, "limits"))
	if err != nil || !strings.Contains(string(limits), "Max core file size        0                    0 ") {
		t.Errorf("it may dump core: %v\n%s", err, limits)
	}
	if c.UID == 0 || c.UID == os.Geteuid() {
		t.Errorf("uid %d", c.UID)
	}
}

const zeros = "0000000000000000"

// seenAlone: no other process of this host shares a namespace, the uid or a
// control group with it.
func seenAlone(t *testing.T, c cellState) {
	spaces := map[string]string{} // "net:[4026531840]" -> "net"
	links, err := os.ReadDir(procOf(c.PID, "ns"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range links {
		target, err := os.Readlink(procOf(c.PID, "ns/"+n.Name()))
		if err != nil {
			t.Error(err)
		}
		spaces[target] = n.Name()
	}
	seenSpaces(t, c)
	for _, p := range allProcesses() {
		if p.pid == c.PID {
			continue
		}
		if p.uid == c.UID {
			t.Errorf("process %d has its uid: %s", p.pid, p.args)
		}
		for target := range spaces {
			name, _, _ := strings.Cut(target, ":")
			if other, _ := os.Readlink(procOf(p.pid, "ns/"+name)); other == target {
				t.Errorf("process %d shares %s: %s", p.pid, target, p.args)
			}
		}
	}
	groups := 0
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" || filepath.Base(filepath.Dir(path)) != strconv.Itoa(c.UID) {
			return nil
		}
		groups++
		if b, _ := os.ReadFile(path); strings.TrimSpace(string(b)) != strconv.Itoa(c.PID) {
			t.Errorf("%s holds %q, want %d alone", path, b, c.PID)
		}
		return nil
	})
	if f, _ := facts(); groups == 0 && (f.Linux.Cgroup.V2 != "" || len(f.Linux.Cgroup.V1) > 0) {
		t.Error("it is in no control group of its own")
	}
}

// seenRootfs: once the guest runs, nothing is accessible; no memory can be written
// and executed; the environment is empty.
func seenRootfs(t *testing.T, l *lab, c cellState) {
	entries, err := os.ReadDir(procOf(c.PID, "root"))
	if err != nil || len(entries) > 0 {
		t.Errorf("its root holds %v (%v)", entries, err)
	}
	if info, err := os.ReadFile(procOf(c.PID, "mountinfo")); err != nil || strings.Count(string(info), "\n") != 1 {
		t.Errorf("its mounts are not one: %v\n%s", err, info)
	}
	maps, err := os.ReadFile(procOf(c.PID, "maps"))
	if err != nil || len(maps) == 0 {
		t.Errorf("maps: %v", err)
	}
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) > 1 && strings.Contains(f[1], "w") && strings.Contains(f[1], "x") {
			t.Errorf("writable and executable: %s", line)
		}
	}
	if env, err := os.ReadFile(procOf(c.PID, "environ")); err != nil || len(env) > 0 {
		t.Errorf("its environment holds %q (%v)", env, err)
	}
	args, _ := os.ReadFile(procOf(c.PID, "cmdline"))
	if len(args) == 0 || strings.Contains(string(args), l.dir) {
		t.Errorf("its command line names paths of the host: %q", args)
	}
}

// seenDescriptors: each is on the plan, or is of a kind that leads nowhere and
// that QEMU makes for itself.
func seenDescriptors(t *testing.T, l *lab, c cellState) {
	planned := map[string]string{"0": "", "1": "", "2": ""}
	for _, r := range c.Plan.Resources {
		var spec struct {
			Descriptors []struct {
				Number int
				Name   string
			}
		}
		if r.ID == "hypervisor" {
			if err := json.Unmarshal(r.Spec, &spec); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range spec.Descriptors {
			planned[strconv.Itoa(d.Number)] = d.Name
		}
	}
	if len(planned) < 6 {
		t.Fatalf("the plan lists few descriptors: %v", planned)
	}
	entries, err := os.ReadDir(procOf(c.PID, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, _ := os.Readlink(procOf(c.PID, "fd/"+e.Name()))
		if _, ok := planned[e.Name()]; ok {
			continue
		}
		switch {
		case strings.HasPrefix(target, "anon_inode:"): // eventfd, epoll, kvm-vm
		case c.Accel == "kvm" && device(procOf(c.PID, "fd/"+e.Name())) == device("/dev/kvm"):
		case target == l.path("d.img"), target == l.path("state/cells/seen/console.log"), strings.HasPrefix(target, "/memfd:"):
			// QEMU's own copies of what it was handed
		case strings.HasPrefix(target, "socket:"):
			// a client of QMP: the keeper
		default:
			t.Errorf("descriptor %s is not on the plan: %s", e.Name(), target)
		}
		if info, err := os.Stat(procOf(c.PID, "fd/"+e.Name())); err == nil && info.IsDir() {
			t.Errorf("descriptor %s is a directory: %s", e.Name(), target)
		}
	}
}

// device is the number of a device node, 0 for anything else.
func device(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return 0
	}
	return st.Rdev
}
