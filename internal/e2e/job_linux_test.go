package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skep/guest/hello"
)

// inJob has the lab's commands be those of a job of Slurm.
func (l *lab) inJob(env ...string) (back func()) {
	was := l.env
	l.env = append(slices.Clone(was), env...)
	return func() { l.env = was }
}

// A job has a cell of its own name, whose console is the job's output and of which nothing stays. A second
// job of that name is told to try again later, and the power button is pressed when the job is cancelled.
func TestJob(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.inJob("SLURM_JOB_ID=121", "SLURM_ARRAY_JOB_ID=120", "SLURM_ARRAY_TASK_ID=7")
	v := l.live("run", "--job", "--rm", "hello")
	v.expect(slow, hello.Commands)
	if r := l.must(75, "run", "--job", "--rm", "hello"); !strings.Contains(r.err, "slurm-120_7: it is already running") {
		t.Error(r)
	}
	if r := l.must(0, "audit", "slurm-120_7"); !strings.Contains(r.out, "the kernel ends it when its keeper ends") {
		t.Errorf("the audit does not say that it is bound\n%s", r)
	}
	if r := l.must(0, "show", "slurm-120_7"); !strings.Contains(r.out, "it ends with its keeper") {
		t.Error(r)
	}
	_ = v.cmd.Process.Signal(unix.SIGTERM)
	v.ends(slow, 6)
	if s := v.out.String(); !strings.Contains(s, "power off") {
		t.Errorf("its guest has seen no power button: %s", s)
	}
	if r := l.must(0, "ps", "-a"); strings.Contains(r.out, "slurm") {
		t.Errorf("ps shows what is over\n%s", r)
	}
	l.nothingLeft()
	// A guest that does not hear is killed before the batch system kills everything.
	v = l.live("run", "--job", "--rm", "--grace", "1200ms", "hello")
	v.expect(slow, hello.Commands)
	v.send("h")
	_ = v.cmd.Process.Signal(unix.SIGTERM)
	v.ends(slow, 6)
	l.nothingLeft()
}

// Whatever ends a bound keeper ends its guest; what it held is there to be swept.
func TestBoundGuest(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	v := l.live("run", "--bind", "hello")
	v.expect(slow, hello.Commands)
	pid := l.show("hello").PID
	_ = v.cmd.Process.Kill()
	<-v.done
	eventually(t, slow, "its guest is gone", func() bool { return gone(pid) })
	if r := l.must(0, "ps", "-a"); !strings.Contains(r.out, "crashed") {
		t.Error(r)
	}
	l.must(0, "sweep")
	l.nothingLeft()
	// What has started it ends: then nobody is left who would stop it.
	sh := exec.CommandContext(t.Context(), "sh", "-c", skep+` run --bind hello >/dev/null 2>&1 & wait`)
	sh.Dir, sh.Env = l.dir, append(sh.Environ(), l.env...)
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, slow, "it runs", func() bool { return l.show("hello").State == "running" })
	_ = sh.Process.Kill()
	_ = sh.Wait()
	eventually(t, slow, "it was stopped", func() bool { return l.show("hello").State == "stopped" })
	if r := l.show("hello").Reason; !strings.Contains(r, "the end of the process that started skep") {
		t.Errorf("the reason: %s", r)
	}
	l.nothingLeft()
}

// jobGroup makes a control group with a limit of memory, as a batch system makes one for a job.
func jobGroup(t *testing.T, limit string) (dir string) {
	t.Helper()
	top, file := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat(top + "/cgroup.procs"); err != nil {
		top, file = "/sys/fs/cgroup", "memory.max"
		_ = os.WriteFile(top+"/cgroup.subtree_control", []byte("+memory +pids"), 0)
	}
	dir = fmt.Sprintf("%s/skep-test-job-%d", top, os.Getpid())
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Errorf("the job's group: %v", err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, file), []byte(limit), 0); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A cell that runs for a job is below the job's control group, and may ask for no more than that has. Where
// its keeper is killed, the sweep of the epilog leaves nothing, and the group can be removed.
func TestJobsControlGroup(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	dir := jobGroup(t, "700M")
	l.as = []string{"sh", "-c", "echo $$ > " + dir + "/cgroup.procs; exec \"$@\"", "sh"}
	l.inJob("SLURM_JOB_ID=121")
	large := l.write("large.hcl", "cell \"large\" {\n  memory = \"2G\"\n}\n")
	if r := l.must(2, "run", "--job", "--rm", large); !strings.Contains(r.err, "large.hcl:2") || !strings.Contains(r.err, "its job has only 700M") {
		t.Error(r)
	}
	v := l.live("run", "--job", "--rm", "hello")
	v.expect(slow, hello.Commands)
	l.as = nil
	if r := l.must(0, "audit", "slurm-121"); !strings.Contains(r.out, "below "+dir) {
		t.Errorf("the audit does not say whose group it is in\n%s", r)
	}
	pid := l.show("slurm-121").PID
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil || !strings.Contains(string(b), "/"+filepath.Base(dir)+"/skep/") {
		t.Errorf("its hypervisor is in %s (%v)", b, err)
	}
	_ = v.cmd.Process.Kill()
	<-v.done
	eventually(t, slow, "its guest is gone", func() bool { return gone(pid) })
	if r := l.must(1, "doctor", "--node"); !strings.Contains(r.out, "left by dead keepers: slurm-121") {
		t.Error(r)
	}
	if r := l.must(0, "sweep", "--job", "12"); r.out != "" {
		t.Errorf("another job's is swept\n%s", r)
	}
	if r := l.must(0, "sweep", "--job", "121"); r.out != "slurm-121: ended and released\n" {
		t.Error(r)
	}
	if r := l.must(0, "ps", "-a"); strings.Contains(r.out, "slurm") {
		t.Error(r)
	}
	l.must(2, "sweep", "--job", "../x")
	l.must(2, "run", "--cgroup-parent", "lab", "hello")
	l.must(2, "run", "--cgroup-parent", "/not/there", "hello")
	if r := l.must(0, "doctor", "--node"); r.out != "" {
		t.Error(r)
	}
	// The epilog comes while its keeper still lives: that ends too.
	v = l.live("run", "--job", "hello")
	v.expect(slow, hello.Commands)
	l.must(0, "sweep", "--job", "121")
	v.ends(slow, 6)
	l.nothingLeft()
}

// What came of a task lands in a directory of its own, whole, once, and only while nobody else runs it.
func TestTaskResults(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.inJob("SLURM_JOB_ID=121", "SLURM_ARRAY_JOB_ID=120", "SLURM_ARRAY_TASK_ID=7")
	lab := l.write("lab.hcl", "cell \"lab\" {\n  evidence = true\n  results \"out\" {\n    size   = \"64M\"\n    format = \"tar\"\n  }\n}\n")
	args := []string{"run", "--job", "--rm", "--results", "landed", lab}
	v := l.live(args...)
	v.expect(slow, hello.Commands)
	// Another host of the cluster, as it were, with the same results and nothing else in common.
	other := newLab(t)
	other.inJob("SLURM_JOB_ID=121", "SLURM_ARRAY_JOB_ID=120", "SLURM_ARRAY_TASK_ID=7")
	if r := other.must(75, "run", "--job", "--rm", "--results", l.path("landed"), lab); !strings.Contains(r.err, "its task runs already") {
		t.Error(r)
	}
	if _, err := os.Stat(l.path("landed/slurm-120_7")); err == nil {
		t.Error("the directory is there before the task is over")
	}
	v.send("q")
	v.ends(slow, 0)
	b, err := os.ReadFile(l.path("landed/slurm-120_7/console.log"))
	if err != nil || !strings.Contains(string(b), hello.Commands) {
		t.Errorf("the console: %q, %v", b, err)
	}
	if r := l.must(0, "evidence", "verify", "landed/slurm-120_7/evidence.tar"); !strings.Contains(r.out, "of slurm-120_7, run") {
		t.Error(r)
	}
	if _, err := os.Stat(l.path("landed/slurm-120_7/results")); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(l.path("state/cells/*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if r := other.must(0, "run", "--job", "--rm", "--results", l.path("landed"), lab); !strings.Contains(r.err, "has run already") {
		t.Error(r)
	}
	l.inJob("SLURM_JOB_ID=900")
	l.must(2, args...)
	if r := l.must(0, "results", "--summary", "landed", "--svg", "landed.svg"); !strings.Contains(r.out, "slurm-120_7") || !strings.Contains(r.out, "1 task in") {
		t.Error(r)
	}
	if b, err := os.ReadFile(l.path("landed.svg")); err != nil || !strings.Contains(string(b), "<title>slurm-120_7") {
		t.Errorf("the picture: %v\n%s", err, b)
	}
	if r := l.must(2, "run", "--job", "--rm", "--results", "/proc/none", lab); !strings.Contains(r.err, "cannot write results to /proc/none") {
		t.Error(r)
	}
	l.nothingLeft()
	other.nothingLeft()
}
