package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"

	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
	"skep/internal/store"
)

// proc is the process file system. Reading a process of another user's needs
// root, or that its user namespace is the reader's own.
const proc = "/proc"

// Cell audits the hypervisor of a running cell against the plan in its state.
func Cell(st store.State) (Report, error) {
	seen, err := observe(st.PID, st.Plan)
	if err != nil {
		return Report{}, err
	}
	if w := st.Worker; w != nil {
		seen.Worker = observeWorker(w.PID, st.Plan)
	}
	seen.Services = observeServices(st)
	return judgeLinux(seen, st), nil
}

// Process audits any process as if it were a cell's: a hypervisor that skep
// did not start is judged by the same table.
func Process(pid int) (Report, error) {
	seen, err := observe(pid, nil)
	if err != nil {
		return Report{}, err
	}
	return judgeAnyLinux(seen), nil
}

// Jail is FreeBSD's.
func Jail(string) ([]Report, error) { return nil, errors.ErrUnsupported }

// observe reads everything of a process, and what its plan names of the host. What cannot be read stays
// empty, and its row says unknown.
func observe(pid int, p *plan.Plan) (*linuxSeen, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("there is no process %d", pid)
	}
	o := &linuxSeen{PID: pid, ByRoot: os.Geteuid() == 0, Status: readStatus(dir + "/status"), PageSize: uint64(os.Getpagesize()),
		Randomize: readLine("/proc/sys/kernel/randomize_va_space")}
	if leader := o.Status["Tgid"]; leader != "" && leader != strconv.Itoa(pid) {
		return nil, fmt.Errorf("%d is a thread of process %s", pid, leader)
	}
	if ended(o.Status) {
		return nil, fmt.Errorf("process %d has ended, and waits for its parent to hear of it", pid)
	}
	o.NS, o.HostNS = readNS(dir), readNS(filepath.Join(proc, "self"))
	o.Cgroups = linuxjail.GroupsIn(dir + "/cgroup")
	o.Frozen = linuxjail.Frozen(o.Cgroups)
	o.others()
	o.Mounts = readMounts(dir + "/mountinfo")
	o.Files, o.Nodes, o.Unread = reachable(dir + "/root")
	own := private(pid)
	o.FDs, o.Environ, o.Persona = own.FDs, own.Environ, own.Persona
	o.Sockets, o.Peers = readSockets(dir), readPeers(dir)
	o.Limits = linuxjail.Rlimits(pid)
	o.Devices = readDevices(dir + "/net/dev")
	o.Address, o.AddressRead = readAddresses(dir + "/net")
	o.Areas = readAreas(dir + "/maps")
	o.OOM = readLine(dir + "/oom_score_adj")
	o.UIDMap, o.GIDMap = fieldsOf(dir+"/uid_map"), fieldsOf(dir+"/gid_map")
	o.Threads = readThreads(dir)
	o.Standing = linuxjail.StandingOf(pid)
	o.Exe = readExe(dir + "/exe")
	o.planned(p)
	return o, nil
}

// planned reads what the plan names of the host.
func (o *linuxSeen) planned(p *plan.Plan) {
	if p == nil {
		return
	}
	o.lookUp(p)
	o.PlanFiles = map[string]fileID{}
	for path := range planFiles(p) {
		var st syscall.Stat_t
		if syscall.Stat(path, &st) == nil {
			o.PlanFiles[path] = fileID{uint64(st.Dev), st.Ino}
		}
	}
	o.Groups = map[string]groupSeen{}
	for _, g := range plan.Specs[*plan.Cgroup](p) {
		o.Groups[g.Path] = readGroup(g)
	}
}

// readGroup reads a control group of the plan.
func readGroup(g *plan.Cgroup) groupSeen {
	seen := groupSeen{Files: map[string]string{}}
	entries, _ := os.ReadDir(g.Path)
	for _, e := range entries {
		if e.IsDir() {
			seen.Below = append(seen.Below, e.Name())
		}
	}
	for _, s := range g.Limits {
		b, err := os.ReadFile(filepath.Join(g.Path, s.File))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			seen.Absent = append(seen.Absent, s.File)
		case err == nil:
			seen.Files[s.File] = strings.TrimSpace(string(b))
		}
	}
	return seen
}

// ended: dead, and waiting only for its parent to hear of it.
func ended(status map[string]string) bool {
	return strings.HasPrefix(status["State"], "Z") || strings.HasPrefix(status["State"], "X")
}

func readThreads(dir string) (all []linuxThread) {
	tasks, _ := os.ReadDir(dir + "/task")
	for _, t := range tasks {
		task := dir + "/task/" + t.Name()
		all = append(all, linuxThread{readStatus(task + "/status"), readNS(task), linuxjail.GroupsIn(task + "/cgroup"),
			linuxjail.Scheduler(task + "/stat")})
	}
	return all
}

// readExe reads the program, or is nil.
func readExe(path string) *Program {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	p, err := ReadProgram(f)
	if err != nil {
		return nil
	}
	if info, err := f.Stat(); err == nil {
		p.Setuid = answer(info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0)
	}
	return &p
}

func readLine(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// fieldsOf is a small file with its white space made single.
func fieldsOf(path string) string { return strings.Join(strings.Fields(readLine(path)), " ") }

func readStatus(path string) map[string]string {
	m := map[string]string{}
	for _, line := range strings.Split(readLine(path), "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok {
			m[k] = strings.Join(strings.Fields(v), " ")
		}
	}
	return m
}

func readNS(dir string) map[string]string {
	m := map[string]string{}
	for _, n := range namespaces {
		if l, err := os.Readlink(dir + "/ns/" + n); err == nil {
			m[n] = l
		}
	}
	return m
}

// readChildNS are the namespaces that a thread's children will be born in.
func readChildNS(dir string) map[string]string {
	m := map[string]string{}
	for _, n := range []string{"pid", "time"} {
		if l, err := os.Readlink(dir + "/ns/" + n + "_for_children"); err == nil {
			m[n] = l
		}
	}
	return m
}

// readAddresses are the addresses of a network namespace: the local ones of
// /proc/PID/net/fib_trie and all of if_inet6, which a kernel without IPv6 has not
// got. It is false where one of them cannot be read.
func readAddresses(dir string) (all []string, read bool) {
	b, err := os.ReadFile(dir + "/fib_trie")
	read = err == nil
	last := ""
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "|--":
			last = f[1]
		case len(f) == 3 && f[0] == "/32" && f[1] == "host" && f[2] == "LOCAL" && !slices.Contains(all, last):
			all = append(all, last) // it is in the main table and in the local one
		}
	}
	b, err = os.ReadFile(dir + "/if_inet6")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 6 {
			all = append(all, f[0]+" on "+f[5])
		}
	}
	return all, read && (err == nil || errors.Is(err, fs.ErrNotExist))
}

// others looks through all processes for others: in a namespace, with the
// uid, in the control group.
func (o *linuxSeen) others() {
	o.InNamespace, o.InCgroup = map[string][]string{}, map[string][]string{}
	entries, _ := os.ReadDir(proc)
	uid := strings.SplitN(o.Status["Uid"], " ", 2)[0]
	gid := strings.SplitN(o.Status["Gid"], " ", 2)[0]
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == o.PID {
			continue
		}
		dir := filepath.Join(proc, e.Name())
		theirs := readStatus(dir + "/status")
		if ended(theirs) {
			continue
		}
		who := e.Name() + " (" + readLine(dir+"/comm") + ")"
		if uid != "" && slices.Contains(strings.Fields(theirs["Uid"]), uid) {
			o.SameUID = append(o.SameUID, who)
		}
		if gid != "" && (slices.Contains(strings.Fields(theirs["Gid"]), gid) || slices.Contains(strings.Fields(theirs["Groups"]), gid)) {
			o.SameGID = append(o.SameGID, who)
		}
		// A thread may be elsewhere than its process.
		tasks, _ := os.ReadDir(dir + "/task")
		in, of := map[string]bool{}, map[string]bool{}
		for _, t := range tasks {
			task := dir + "/task/" + t.Name()
			for n, ns := range readNS(task) {
				in[n] = in[n] || ns == o.NS[n]
			}
			for n, ns := range readChildNS(task) {
				in[n] = in[n] || ns == o.NS[n]
			}
			for tree, path := range linuxjail.GroupsIn(task + "/cgroup") {
				of[tree] = of[tree] || path != "/" && path == o.Cgroups[tree]
			}
		}
		for n, so := range in {
			if so {
				o.InNamespace[n] = append(o.InNamespace[n], who)
			}
		}
		for tree, so := range of {
			if so {
				o.InCgroup[tree] = append(o.InCgroup[tree], who)
			}
		}
	}
}

func readFDs(dir string) []Descriptor {
	entries, _ := os.ReadDir(dir + "/fd")
	var all []Descriptor
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		d := Descriptor{Number: n}
		d.Target, _ = os.Readlink(dir + "/fd/" + e.Name())
		var st syscall.Stat_t
		if syscall.Stat(dir+"/fd/"+e.Name(), &st) == nil {
			d.Dev, d.Inode = uint64(st.Dev), st.Ino
		}
		for _, line := range strings.Split(readLine(dir+"/fdinfo/"+e.Name()), "\n") {
			if v, ok := strings.CutPrefix(line, "flags:"); ok {
				d.Flags, _ = strconv.ParseInt(strings.TrimSpace(v), 8, 64)
			}
		}
		all = append(all, d)
	}
	sort.Slice(all, func(i, k int) bool { return all[i].Number < all[k].Number })
	return all
}

func readDevices(path string) []string {
	var names []string
	for i, line := range strings.Split(readLine(path), "\n") {
		if name, _, ok := strings.Cut(line, ":"); ok && i > 1 {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

// readAreas reads the mappings.
func readAreas(path string) []linuxArea {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []linuxArea
	s := bufio.NewScanner(f)
	for s.Scan() {
		fields := bytes.Fields(s.Bytes())
		if len(fields) < 2 {
			continue
		}
		from, to, _ := strings.Cut(string(fields[0]), "-")
		a := linuxArea{Mode: string(fields[1]), File: len(fields) > 4 && string(fields[4]) != "0"}
		a.From, _ = strconv.ParseUint(from, 16, 64)
		a.To, _ = strconv.ParseUint(to, 16, 64)
		all = append(all, a)
	}
	return all
}

// readSockets names sockets by inode, from the tables of the network
// namespaces that they can come from: the host's, where ours are bound, and
// the process's own.
func readSockets(dir string) map[uint64]string {
	m := map[uint64]string{}
	for _, base := range []string{filepath.Join(proc, "self"), dir} {
		for i, line := range strings.Split(readLine(base+"/net/unix"), "\n") {
			if f := strings.Fields(line); i > 0 && len(f) >= 7 {
				inode, _ := strconv.ParseUint(f[6], 10, 64)
				name := nameless
				if len(f) >= 8 {
					name = f[7]
				}
				m[inode] = name
			}
		}
		for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet", "netlink"} {
			for i, line := range strings.Split(readLine(base+"/net/"+table), "\n") {
				f := strings.Fields(line)
				at := map[string]int{"packet": 8, "netlink": 9}[table]
				if at == 0 {
					at = 9
				}
				if i > 0 && len(f) > at {
					inode, _ := strconv.ParseUint(f[at], 10, 64)
					m[inode] = table + " " + f[1]
				}
			}
		}
	}
	return m
}
