package e2e

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"skep/internal/jail/seccomp"
)

// unused are rows of the policy that no guest of TestEveryRowIsUsed needs, each with the reason why it
// is there all the same: call, phase and what the cell has for it. A row that is neither used nor here
// fails the test, and so does a line here that no row has.
var unused = map[string]string{
	"clock_gettime run": "this host's clock is read without a call; on one whose clock source the vDSO does not know it is made at every turn",
	"rt_sigreturn run":  "a virtual processor that is woken by a signal, which takes KVM; those that would end QEMU are blocked",
	// Of later releases than the one that is tried here; make matrix has them all.
	"memfd_create run screen": "QEMU 10 and later make each surface so",
	"ftruncate run screen":    "QEMU 10 and later size each surface so",
	"getsockopt run screen":   "QEMU 10 and later ask it of each viewer",
}

// A rowUse is one row and whether a hypervisor made the call that it allows.
type rowUse struct {
	seccomp.Row
	used bool
}

func (r rowUse) key() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Call, r.Phase, r.Need))
}

// call is one system call as strace(1) saw it.
type call struct {
	at   float64
	name string
	args [6]uint64
	gave int // of a new process or thread, its number where its maker lives
}

// calls reads one file of strace -ff -ttt -e raw=all.
func calls(t testing.TB, path string) (list []call) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line := regexp.MustCompile(`^(\d+\.\d+) (\w+)\(([^)]*)\)?`)
	gave := regexp.MustCompile(`\) += (0x[0-9a-f]+|\d+)`)
	for s := bufio.NewScanner(f); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		c := call{name: m[2]}
		c.at, _ = strconv.ParseFloat(m[1], 64)
		for i, a := range strings.Split(m[3], ", ") {
			if i < 6 {
				c.args[i], _ = strconv.ParseUint(strings.TrimSpace(a), 0, 64)
			}
		}
		if g := gave.FindStringSubmatch(s.Text()); g != nil {
			n, _ := strconv.ParseInt(g[1], 0, 64)
			c.gave = int(n)
		}
		list = append(list, c)
	}
	return list
}

// allows says whether the row is the one that allows the call. Of several it is the one of the earliest
// phase, as the filter has it; the caller asks in that order.
func (r rowUse) allows(c call) bool {
	if r.Call != c.name {
		return false
	}
	for _, w := range r.When {
		held := false
		for _, v := range w.In {
			if w.Width == seccomp.Int {
				held = held || uint32(c.args[w.Arg])&uint32(w.Mask) == uint32(v)
			} else {
				held = held || c.args[w.Arg]&w.Mask == v
			}
		}
		if !held {
			return false
		}
	}
	return true
}

// Every row of the policy is needed: a hypervisor in its jail is watched while its guest starts, works,
// is reset and ends, and each row has to have been used in its phase. Rows of the run that only the
// start uses are found out too: they would be a right too many for the guest's whole life.
func TestEveryRowIsUsed(t *testing.T) {
	k := needKernel(t)
	needTap(t)
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	rows := []*rowUse{}
	for _, phase := range []seccomp.Phase{seccomp.Run, seccomp.Once, seccomp.Absent} {
		for _, r := range seccomp.QEMU(seccomp.Disk, seccomp.NIC, seccomp.TCG, seccomp.Screen).Rows {
			if r.Phase == phase {
				rows = append(rows, &rowUse{Row: r})
			}
		}
	}
	ns, l := newNetns(t), newLab(t) // the lab ends its cells in the namespace, so that has to outlive it
	server := ns.answer("an answer")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", l.path("q.qcow2"), "64M").CombinedOutput(); err != nil {
		t.Skipf("qemu-img: %v %s", err, out)
	}
	l.cell("watched", `accel = "tcg"
cpus = 2
memory = "256M"
disk "d" {
  file = "`+l.path("d.img")+`"
  size = "64M"
}
disk "q" {
  file = "`+l.path("q.qcow2")+`"
  format = "qcow2"
}
disk "v" { device = "`+loopDevice(t, l.write("volume", strings.Repeat("\x00", 16<<20)))+`" }
nic "lan" { bridge = "br0" }
screen { }
`+kernelBlock(k))
	l.in = ns
	trace := l.path("trace")
	if err := os.Mkdir(trace, 0o700); err != nil {
		t.Fatal(err)
	}
	pid := l.watched(trace, "watched")

	c := l.console("watched")
	c.expect(2*boot, "guest: ready")
	for _, disk := range []string{"vda", "vdb", "vdc"} {
		c.send("discard " + disk + "\n")
		c.expect(slow, "guest: discarded")
	}
	c.send("pump 16\n")
	c.expect(slow, "guest: pumped in")
	c.send("crowd\n") // more requests at once than the disk pool has threads
	c.expect(slow, "guest: all have read")
	c.send("ask " + guestAddress + " " + server + "\n")
	c.expect(slow, `guest: answer "an answer to question"`)
	l.must(0, "screenshot", "watched", "-o", l.path("shot.png"))
	c.send("write a pattern\n")
	c.expect(slow, "guest: written")
	// A stop and a continuation, as by an administrator: what waits is restarted.
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	time.Sleep(12 * time.Second) // idle threads of the disk pool end after ten
	c.send("read\n")
	c.expect(slow, "guest: read")
	c.send("reset\n")
	c.expect(2*boot, "guest: ready")
	l.must(0, "down", "watched") // by its power button
	eventually(t, slow, "QEMU has ended", func() bool { return !strings.Contains(l.skep("ps", "--json").out, `"running"`) })

	l.judge(trace, pid, rows)
	l.nothingLeft()
}

// watched starts a cell whose keeper and all that it starts are traced, and returns the hypervisor.
func (l *lab) watched(trace, name string) (pid int) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l.t.Cleanup(cancel)
	cmd := l.command(ctx, "up", name)
	cmd.Args = append([]string{"strace", "-f", "-ff", "-qq", "-ttt", "-e", "raw=all", "-o", filepath.Join(trace, "t"), cmd.Path}, cmd.Args[1:]...)
	cmd.Path, _ = exec.LookPath("strace")
	said := &transcript{}
	cmd.Stdout, cmd.Stderr = said, said
	l.start(cmd)
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	eventually(l.t, 2*time.Minute, "the cell runs", func() bool {
		select {
		case <-ended:
			l.t.Fatalf("it did not start:\n%s", said)
		default:
		}
		r := l.skep("ps", "--json")
		return strings.Contains(r.out, `"running"`)
	})
	return l.show(name).PID
}

// elsewhere are the processes and threads outside of the jail: those that were made outside. What is made
// inside has a number that means nothing on the host, and so it is the rest.
func elsewhere(byPID map[int][]call, hypervisor int) map[int]bool {
	// The first of all is the command itself.
	first := slices.MinFunc(slices.Collect(maps.Keys(byPID)), func(a, b int) int { return cmp.Compare(byPID[a][0].at, byPID[b][0].at) })
	born := map[int]bool{first: true}
	for todo := []int{first}; len(todo) > 0; todo = todo[1:] {
		for _, c := range byPID[todo[0]] {
			switch c.name {
			case "clone", "clone3", "fork", "vfork":
				if c.gave > 0 && c.gave != hypervisor && !born[c.gave] {
					born[c.gave] = true
					todo = append(todo, c.gave)
				}
			}
		}
	}
	return born
}

// loopDevice is a block device of a file.
func loopDevice(t testing.TB, path string) string {
	t.Helper()
	out, err := exec.Command("losetup", "--find", "--show", path).Output()
	if err != nil {
		t.Skipf("no loop device here: %v", err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", dev).Run() })
	return dev
}

// judge marks the rows that were used, and fails for the others.
func (l *lab) judge(trace string, pid int, rows []*rowUse) {
	l.t.Helper()
	files, err := filepath.Glob(filepath.Join(trace, "t.*"))
	if err != nil || len(files) < 3 {
		l.t.Fatalf("%d files were traced: %v", len(files), err)
	}
	byPID := map[int][]call{}
	for _, f := range files {
		n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Ext(f), "."))
		if list := calls(l.t, f); len(list) > 0 { // a thread may end before it has called anything
			byPID[n] = list
		}
	}
	// The hypervisor's threads, and the moment at which its start was over: the child that empties the
	// rootfs enters the namespaces right after that.
	others := elsewhere(byPID, pid)
	threads, sealed := []int{}, 0.0
	for n := range byPID {
		if !others[n] {
			threads = append(threads, n)
		}
	}
	for n, list := range byPID {
		for _, c := range list {
			if c.name == "setns" && others[n] {
				sealed = max(sealed, c.at)
			}
		}
	}
	if sealed == 0 || len(threads) < 3 {
		l.t.Fatalf("the trace shows %d threads and an end of the start at %v", len(threads), sealed)
	}
	stray := map[string]bool{}
	for _, n := range threads {
		began := n != pid // the hypervisor's own begins at its exec
		for _, c := range byPID[n] {
			began = began || c.name == "execve"
			if !began {
				continue
			}
			known := false
			for _, r := range rows {
				if !r.allows(c) {
					continue
				}
				known = true
				r.used = r.used || r.Phase != seccomp.Run || c.at > sealed
				// A cell that lacks what this row is for has the call by a row of a later phase.
				if r.Need == seccomp.Always {
					break
				}
			}
			// In the start all is allowed but what the table of never has.
			if !known && c.at > sealed {
				stray[c.name] = true
			}
		}
	}
	for name := range stray {
		l.t.Logf("it also asked for %s, which is refused and shown by skep show", name)
	}
	for _, r := range rows {
		why, excused := unused[r.key()]
		switch {
		case !r.used && !excused:
			l.t.Errorf("no guest uses the row %q (%s): it goes, or unused says why it stays", r.key(), r.Reason)
		case !r.used:
			l.t.Logf("not used: %s: %s", r.key(), why)
		}
	}
	for key := range unused {
		if !slices.ContainsFunc(rows, func(r *rowUse) bool { return r.key() == key }) {
			l.t.Errorf("there is no row %q to be excused", key)
		}
	}
}
