package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"skep/guest/hello"
	"skep/internal/e2e/guestkernel"
)

// slurm is a cluster on this host: a controller and some nodes, each a slurmd with skep directories of its own,
// and a directory that all of them share.
type slurm struct {
	t     *testing.T
	l     *lab
	root  string // where Slurm is unpacked
	nodes map[string]*exec.Cmd
	procs []*exec.Cmd
}

const slurmLibs = "usr/lib/x86_64-linux-gnu"

// slurmRoot is where scripts/deps has unpacked Slurm.
func slurmRoot(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv(guestkernel.EnvCache), "../../build/cache"} {
		root, err := filepath.Abs(filepath.Join(dir, "slurm"))
		if _, serr := os.Stat(filepath.Join(root, "usr/sbin/slurmdbd")); dir != "" && err == nil && serr == nil {
			return root
		}
	}
	t.Skip("there is no Slurm here: scripts/deps test unpacks it")
	return ""
}

// newSlurm starts a cluster of some nodes, each with so many processors; with accounting where that is asked for.
func newSlurm(t *testing.T, nodes, cpus int, accounting bool) *slurm {
	t.Helper()
	needCells(t)
	if _, err := os.Stat("/sys/fs/cgroup/freezer/cgroup.procs"); err != nil {
		t.Skip("Slurm 22.05 is set up for control groups of version 1 here")
	}
	s := &slurm{t: t, root: slurmRoot(t), nodes: map[string]*exec.Cmd{}}
	s.l = newLabOf(t, 64)
	s.l.in = newNetns(t)
	s.l.in.do(func() error { // what this host says to itself goes through lo, whatever the address
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(hostAddress, "/")
	var conf strings.Builder
	fmt.Fprintf(&conf, `ClusterName=skep
SlurmctldHost=%s(%s)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
PluginDir=%s
StateSaveLocation=%[4]s/slurm/state
SlurmdSpoolDir=%[4]s/slurm/spool/%%n
SlurmctldPidFile=%[4]s/slurm/slurmctld.pid
SlurmdPidFile=%[4]s/slurm/%%n.pid
SlurmctldLogFile=%[4]s/slurm/slurmctld.log
SlurmdLogFile=%[4]s/slurm/%%n.log
SlurmctldPort=7817
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SlurmdTimeout=10
KillWait=20
RequeueExit=75
ReturnToService=2
Epilog=%[4]s/epilog
HealthCheckProgram=%[4]s/health
HealthCheckInterval=60
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
`, host, address, filepath.Join(s.root, slurmLibs, "slurm-wlm"), s.l.dir)
	for i := range nodes {
		name := s.node(i)
		fmt.Fprintf(&conf, "NodeName=%s NodeHostname=%s NodeAddr=%s Port=%d CPUs=%d RealMemory=16000\n", name, host, address, 7900+i, cpus)
		s.nodes[name] = nil
	}
	conf.WriteString("PartitionName=main Nodes=ALL Default=YES State=UP MaxTime=1:00:00\n")
	for _, dir := range []string{"slurm/state", "slurm/spool", "slurm/database", "out"} {
		if err := os.MkdirAll(s.l.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.stop)
	if accounting {
		conf.WriteString(s.account(host, address))
	}
	s.l.write("etc/slurm.conf", conf.String())
	s.l.write("etc/cgroup.conf", "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nCgroupMountpoint=/sys/fs/cgroup\nConstrainRAMSpace=yes\n")
	env := "#!/bin/sh\n" + s.script() + "export SKEP_STATE_DIR SKEP_RUN_DIR\n"
	s.l.write("epilog", env+skep+" sweep --job \"$SLURM_JOB_ID\" >> "+s.l.path("epilog.log")+" 2>&1\n")
	s.l.write("health", env+"exec "+skep+" doctor --node\n")
	for _, name := range []string{"epilog", "health"} {
		if err := os.Chmod(s.l.path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if accounting {
		s.run("sacctmgr", "-i", "add", "cluster", "skep")
	}
	s.procs = append(s.procs, s.daemon("slurmctld", "-D", "-c"))
	for name := range s.nodes {
		s.startNode(name)
	}
	eventually(t, limit, "every node is idle", func() bool {
		return strings.Count(s.run("sinfo", "-h", "-N", "-o", "%t")+"\n", "idle\n") == nodes
	})
	return s
}

func (s *slurm) node(i int) string { return fmt.Sprintf("skept%dn%d", os.Getpid(), i) }

// script is how a script of a node finds the directories of skep there. Users are a host's, and these nodes share
// one, so each has a range of its own.
func (s *slurm) script() string {
	each := s.l.uids / len(s.nodes)
	return fmt.Sprintf("SKEP_CONFIG_DIR=%[1]s/config SKEP_STATE_DIR=%[1]s/$SLURMD_NODENAME/state SKEP_RUN_DIR=%[1]s/$SLURMD_NODENAME/run\n"+
		"SKEP_UID_BASE=$((%d + ${SLURMD_NODENAME##*n} * %d)) SKEP_UID_COUNT=%d\nexport SKEP_CONFIG_DIR SKEP_STATE_DIR SKEP_RUN_DIR SKEP_UID_BASE SKEP_UID_COUNT\n",
		s.l.dir, s.l.uidBase, each, each)
}

func (s *slurm) startNode(name string) {
	s.t.Helper()
	if err := os.MkdirAll(s.l.path("slurm/spool/"+name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.nodes[name] = s.daemon("slurmd", "-D", "-N", name, "-d", filepath.Join(s.root, "usr/sbin/slurmstepd"))
}

// command is a program of Slurm, not yet started.
func (s *slurm) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.root, dir, name), args...)
	cmd.Dir = s.l.dir
	libs := filepath.Join(s.root, slurmLibs)
	cmd.Env = append(os.Environ(), "SLURM_CONF="+s.l.path("etc/slurm.conf"), "LD_LIBRARY_PATH="+libs+":"+libs+"/slurm-wlm")
	return cmd
}

func (s *slurm) daemon(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := s.command(context.Background(), "usr/sbin", name, args...)
	out, err := os.OpenFile(s.l.path("slurm/daemons.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	s.l.in.do(cmd.Start)
	return cmd
}

// run runs one command of Slurm's and returns what it says.
func (s *slurm) run(name string, args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	cmd := s.command(ctx, "usr/bin", name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	s.l.in.do(cmd.Start)
	if err := cmd.Wait(); err != nil && name != "sinfo" {
		s.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), s.logs())
	}
	return strings.TrimSpace(out.String())
}

// logs are the last words of the daemons.
func (s *slurm) logs() string {
	var b strings.Builder
	logs, _ := filepath.Glob(s.l.path("slurm/*.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		fmt.Fprintf(&b, "--- %s\n%s\n", filepath.Base(path), tail(string(text)))
	}
	return b.String()
}

// batch submits a script that runs skep, and returns the number of the job.
func (s *slurm) batch(flags []string, command string) string {
	s.t.Helper()
	script := s.l.write(fmt.Sprintf("job-%d.sh", time.Now().UnixNano()), "#!/bin/bash\n"+s.script()+command+"\n")
	args := append([]string{"--parsable", "--requeue", "--open-mode=append", "-c1", "--mem=400M", "-o", s.l.path("out/%A_%a.out")}, flags...)
	return s.run("sbatch", append(args, script)...)
}

// stop ends the cluster, whatever runs in it.
func (s *slurm) stop() {
	if s.t.Failed() {
		s.t.Log(s.logs())
	}
	for _, p := range s.processes() {
		_ = unix.Kill(p, unix.SIGKILL)
	}
	for _, cmd := range s.nodes {
		if cmd != nil {
			s.procs = append(s.procs, cmd)
		}
	}
	for _, cmd := range s.procs {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for _, tree := range []string{"freezer", "memory", "cpuacct", "cpu,cpuacct", "cpuset", "devices"} {
		for name := range s.nodes {
			removeGroups("/sys/fs/cgroup/" + tree + "/slurm_" + name)
		}
	}
	s.l.in = nil // it is closed next, and what clears the lab needs no network
}

// removeGroups removes a control group with all that are below it.
func removeGroups(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeGroups(filepath.Join(dir, e.Name()))
		}
	}
	_ = os.Remove(dir)
}

// processes are those of the jobs: all that is in control groups of the cluster's.
func (s *slurm) processes() (pids []int) {
	for name := range s.nodes {
		_ = filepath.WalkDir("/sys/fs/cgroup/freezer/slurm_"+name, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.Name() != "cgroup.procs" {
				return nil
			}
			b, _ := os.ReadFile(path)
			for _, f := range strings.Fields(string(b)) {
				if pid, err := strconv.Atoi(f); err == nil {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// guests are the hypervisors that run in the cluster.
func (s *slurm) guests() (pids []int) {
	for _, p := range s.l.processes() {
		if p.uid >= s.l.uidBase && strings.Contains(p.args, "qemu") {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// on is skep with the directories of a node.
func (s *slurm) on(node string, args ...string) result {
	was := s.l.env
	defer func() { s.l.env = was }()
	s.l.env = append(append([]string(nil), was...), "SKEP_STATE_DIR="+s.l.path(node+"/state"), "SKEP_RUN_DIR="+s.l.path(node+"/run")) // users are in the state of each cell
	return s.l.skep(args...)
}

// done says whether a task has landed.
func (s *slurm) done(task string) bool {
	_, err := os.Stat(s.l.path("landed/" + task + "/outcome.json"))
	return err == nil
}

// waits is a job that runs a cell until it is stopped.
const waits = " run --job --rm --results landed hello </dev/null"

// running submits such a job and waits for its guest.
func (s *slurm) running(flags ...string) (id, node string) {
	s.t.Helper()
	id = s.batch(flags, "exec "+skep+waits)
	out := s.l.path("out/" + id + "_4294967294.out")
	eventually(s.t, limit, "the guest of job "+id+" runs", func() bool {
		b, _ := os.ReadFile(out)
		return strings.Contains(string(b), hello.Commands)
	})
	return id, s.run("squeue", "-h", "-j", id, "-o", "%N")
}

// cell is what a node shows of the cell of a job.
func (s *slurm) cell(node, id string) (c cellState) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.on(node, "show", "--json", "slurm-"+id).out), &c); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// over waits for a job's end, and wants nothing left of it on its node.
func (s *slurm) over(node, id string) {
	s.t.Helper()
	eventually(s.t, limit, "job "+id+" is over", func() bool { return s.run("squeue", "-h", "-j", id) == "" })
	eventually(s.t, limit, "nothing is left of it", func() bool {
		return len(s.guests()) == 0 && !strings.Contains(s.on(node, "ps", "-a").out, "slurm-")
	})
	if left, _ := filepath.Glob("/sys/fs/cgroup/*/slurm_" + node + "/uid_0/job_" + id); len(left) > 0 {
		s.t.Errorf("left of job %s: %v", id, left)
	}
}

// Cells under a real Slurm: an array, a job that is cancelled, one whose skep is killed, and a node that is lost.
func TestSlurm(t *testing.T) {
	const tasks = 50
	s := newSlurm(t, 2, 4, true)

	array := s.batch([]string{"--array=1-" + strconv.Itoa(tasks)}, "exec "+skep+" run --job --rm --results landed hello <<< q")
	for i := range tasks {
		task := fmt.Sprintf("slurm-%s_%d", array, i+1)
		eventually(t, limit, task+" has landed", func() bool { return s.done(task) })
	}
	if r := s.l.must(0, "results", "--summary", "landed", "--svg", "landed.svg"); !strings.Contains(r.out, strconv.Itoa(tasks)+" tasks in") ||
		!strings.Contains(r.out, strconv.Itoa(tasks)+" power-off") {
		t.Errorf("the summary of %d tasks\n%s", tasks, r)
	}

	// The guest is in the job's memory: the job's limit holds for it, and Slurm counts it.
	id, node := s.running()
	c := s.cell(node, id)
	groups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.PID))
	if want := "memory:/slurm_" + node + "/uid_0/job_" + id + "/"; !strings.Contains(string(groups), want) {
		t.Errorf("its guest is not in %s but in\n%s", want, groups)
	}
	resident := func() int {
		n, _ := strconv.Atoi(strings.TrimSuffix(s.run("sstat", "-n", "-P", "-a", "-j", id, "--format=MaxRSS"), "K"))
		return n
	}
	eventually(t, limit, "Slurm counts it", func() bool { return resident() > 0 })
	own := anonymous(t, c.PID)
	eventually(t, limit, "Slurm counts all of it", func() bool { return resident() >= own })
	t.Logf("sstat: %d KiB resident, %d of them its own", resident(), own)
	s.run("scancel", id)
	s.over(node, id)
	eventually(t, limit, "Slurm's accounting has it", func() bool { return s.remembered(id) >= own })
	t.Logf("sacct: %d KiB", s.remembered(id))
	if b, err := os.ReadFile(s.l.path("landed/slurm-" + id + "/console.log")); err != nil || !strings.Contains(string(b), "power off") {
		t.Errorf("its power button was not pressed: %q, %v", b, err)
	}

	id, node = s.running()
	c = s.cell(node, id)
	_ = unix.Kill(c.KeeperPID, unix.SIGKILL)
	eventually(t, slow, "its guest is gone", func() bool { return gone(c.PID) })
	s.over(node, id)
	if b, _ := os.ReadFile(s.l.path("epilog.log")); !strings.Contains(string(b), "slurm-"+id+": ended and released") {
		t.Errorf("the epilog has swept nothing: %s", b)
	}
	if s.done("slurm-" + id) {
		t.Error("it has an outcome")
	}
	s.lost()
}

// lost loses a node whose job goes on: the job is queued again, and its guest runs once at a time.
func (s *slurm) lost() {
	t := s.t
	id, node := s.running()
	pid := s.cell(node, id).PID
	out := s.l.path("out/" + id + "_4294967294.out")
	said := func(text string) int {
		b, _ := os.ReadFile(out)
		return strings.Count(string(b), text)
	}
	once := func() {
		if n := len(s.guests()); n > 1 {
			t.Fatalf("%d guests of one task", n)
		}
	}
	_ = s.nodes[node].Process.Kill()
	_ = s.nodes[node].Wait()
	s.nodes[node] = nil
	eventually(t, limit, "another node was told that the task runs", func() bool { once(); return said("its task runs already") > 0 })
	if gone(pid) {
		t.Error("the guest that ran has ended")
	}
	// Now the rest of that node goes: the daemon of the step is what has started skep.
	killed := 0
	for _, p := range allProcesses() {
		if strings.HasPrefix(p.args, "slurmstepd: ["+id+".") {
			_ = unix.Kill(p.pid, unix.SIGKILL)
			killed++
		}
	}
	if killed == 0 {
		t.Error("there is no step daemon to kill")
	}
	eventually(t, limit, "its guest has ended", func() bool { once(); return gone(pid) })
	eventually(t, limit, "it runs on the other node", func() bool { once(); return said(hello.Commands) > 1 })
	other := s.run("squeue", "-h", "-j", id, "-o", "%N")
	if other == node || other == "" {
		t.Errorf("it runs on %q", other)
	}
	s.run("scancel", id)
	s.over(other, id)
}

// What Slurm costs: as many cells by an array over four nodes as by skep alone, as many at once.
// SKEP_TEST_SLURM_RATE says how many; make bench-slurm runs it.
func TestSlurmRate(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SKEP_TEST_SLURM_RATE"))
	if n <= 0 {
		t.Skip("a measurement: make bench-slurm")
	}
	const nodes, atOnce = 4, 8
	s := newSlurm(t, nodes, atOnce/nodes, false)
	begin := time.Now()
	array := s.batch([]string{"--array=1-" + strconv.Itoa(n)}, "exec "+skep+" run --job --rm --results landed hello <<< q")
	for i := range n {
		task := fmt.Sprintf("slurm-%s_%d", array, i+1)
		eventually(t, limit, task+" has landed", func() bool { return s.done(task) })
	}
	scheduled := time.Since(begin)

	l := newLabOf(t, 2*atOnce)
	begin = time.Now()
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if r := l.typed("q", "run", "--quiet", "--rm", "--name", fmt.Sprintf("cell-%d", i), "--results", "landed", "hello"); r.code != 0 {
				t.Errorf("cell %d: %s", i, r)
			}
		})
	}
	all.Wait()
	alone := time.Since(begin)
	t.Logf("%d cells, %d at once: %s by skep alone, %s by an array over %d slurmd: %.2f of the rate; Slurm's share of a task %s",
		n, atOnce, alone.Round(10*time.Millisecond), scheduled.Round(10*time.Millisecond), nodes, alone.Seconds()/scheduled.Seconds(),
		((scheduled - alone) * atOnce / time.Duration(n)).Round(time.Millisecond))
}
