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

	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
)

// proc is the process file system. Reading a process of another user's needs
// root, or that its user namespace is the reader's own.
const proc = "/proc"

// namespaces are the links in /proc/PID/ns, by the names of namespaces(7).
var namespaces = []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"}

// Descriptor is one open file of the process.
type Descriptor struct {
	Number int    `json:"number"`
	Target string `json:"target"` // what /proc/PID/fd says: a path, "socket:[N]", "anon_inode:[eventfd]"
	Flags  int64  `json:"flags"`  // open flags, from fdinfo
	Dev    uint64 `json:"dev"`    // of the file it refers to
	Inode  uint64 `json:"inode"`
}

// mount is one line of mountinfo.
type mount struct {
	point, options, kind string
}

// area is one mapping of memory.
type area struct {
	from, to uint64
	mode     string // as /proc/PID/maps has it: "rw-p"
}

// thread is one thread of the process.
type thread struct {
	status  map[string]string
	ns      map[string]string
	cgroups map[string]string
	// scheduler is its policy and priority.
	scheduler string
}

// observed is one live process as the kernel shows it. It is read once, from
// outside, and changes nothing.
type observed struct {
	pid         int
	status      map[string]string
	ns          map[string]string // name -> "type:[inode]"
	hostNS      map[string]string
	inNamespace map[string][]string // namespace -> other processes in it
	sameUID     []string
	sameGID     []string
	inCgroup    map[string][]string // cgroup tree -> other processes in its group
	mounts      []mount
	files       []string
	nodes       []string
	unread      []string // below the root, directories that could not be read
	fds         []Descriptor
	environ     int
	limits      map[string][2]uint64 // as prlimit(1) names them -> soft, hard
	cgroups     map[string]string    // controller, or "v2" -> path
	devices     []string             // network devices
	address     []string             // network addresses
	addrs       bool                 // those could be read
	wx          []string
	exec        int // executable mappings
	areas       []area
	oom         string
	persona     string
	threads     []thread
	uidMap      string
	gidMap      string
	sockets     map[uint64]string // inode -> name, from the host's tables
	exe         *Program
	// standing is how it is run, and how its namespaces are set.
	standing jail.Standing
}

// observe reads everything. What cannot be read stays empty, and its row says
// unknown.
func observe(pid int) (*observed, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("there is no process %d", pid)
	}
	o := &observed{pid: pid, status: readStatus(dir + "/status")}
	if leader := o.status["Tgid"]; leader != "" && leader != strconv.Itoa(pid) {
		return nil, fmt.Errorf("%d is a thread of process %s", pid, leader)
	}
	if strings.HasPrefix(o.status["State"], "Z") || strings.HasPrefix(o.status["State"], "X") {
		return nil, fmt.Errorf("process %d has ended, and waits for its parent to hear of it", pid)
	}
	o.ns, o.hostNS = readNS(dir), readNS(filepath.Join(proc, "self"))
	o.cgroups = linuxjail.GroupsIn(dir + "/cgroup")
	o.others()
	o.mounts = readMounts(dir + "/mountinfo")
	o.files, o.nodes, o.unread = reachable(dir + "/root")
	own := private(pid)
	o.fds, o.environ, o.persona = own.FDs, own.Environ, own.Persona
	o.limits = linuxjail.Rlimits(pid)
	o.devices = readDevices(dir + "/net/dev")
	o.address, o.addrs = readAddresses(dir + "/net")
	o.maps(dir + "/maps")
	o.oom = readLine(dir + "/oom_score_adj")
	o.uidMap, o.gidMap = fieldsOf(dir+"/uid_map"), fieldsOf(dir+"/gid_map")
	tasks, _ := os.ReadDir(dir + "/task")
	for _, t := range tasks {
		task := dir + "/task/" + t.Name()
		o.threads = append(o.threads, thread{readStatus(task + "/status"), readNS(task), linuxjail.GroupsIn(task + "/cgroup"), linuxjail.Scheduler(task + "/stat")})
	}
	o.standing = linuxjail.StandingOf(pid)
	o.sockets = readSockets(dir)
	if f, err := os.Open(dir + "/exe"); err == nil {
		defer f.Close()
		if p, err := ReadProgram(f); err == nil {
			if info, err := f.Stat(); err == nil {
				p.Setuid = answer(info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0)
			}
			o.exe = &p
		}
	}
	return o, nil
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
func (o *observed) others() {
	o.inNamespace, o.inCgroup = map[string][]string{}, map[string][]string{}
	entries, _ := os.ReadDir(proc)
	uid := strings.SplitN(o.status["Uid"], " ", 2)[0]
	gid := strings.SplitN(o.status["Gid"], " ", 2)[0]
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == o.pid {
			continue
		}
		dir := filepath.Join(proc, e.Name())
		theirs := readStatus(dir + "/status")
		if s := theirs["State"]; strings.HasPrefix(s, "Z") || strings.HasPrefix(s, "X") {
			continue // dead, and waiting only for its parent to hear of it
		}
		who := e.Name() + " (" + readLine(dir+"/comm") + ")"
		if uid != "" && slices.Contains(strings.Fields(theirs["Uid"]), uid) {
			o.sameUID = append(o.sameUID, who)
		}
		if gid != "" && (slices.Contains(strings.Fields(theirs["Gid"]), gid) || slices.Contains(strings.Fields(theirs["Groups"]), gid)) {
			o.sameGID = append(o.sameGID, who)
		}
		// A thread may be elsewhere than its process.
		tasks, _ := os.ReadDir(dir + "/task")
		in, of := map[string]bool{}, map[string]bool{}
		for _, t := range tasks {
			task := dir + "/task/" + t.Name()
			for n, ns := range readNS(task) {
				in[n] = in[n] || ns == o.ns[n]
			}
			for n, ns := range readChildNS(task) {
				in[n] = in[n] || ns == o.ns[n]
			}
			for tree, path := range linuxjail.GroupsIn(task + "/cgroup") {
				of[tree] = of[tree] || path != "/" && path == o.cgroups[tree]
			}
		}
		for n, so := range in {
			if so {
				o.inNamespace[n] = append(o.inNamespace[n], who)
			}
		}
		for tree, so := range of {
			if so {
				o.inCgroup[tree] = append(o.inCgroup[tree], who)
			}
		}
	}
}

// readMounts reads mountinfo: proc_pid_mountinfo(5).
func readMounts(path string) []mount {
	var all []mount
	for _, line := range strings.Split(readLine(path), "\n") {
		f := strings.Fields(line)
		for i := 6; i < len(f)-1; i++ {
			if f[i] == "-" {
				all = append(all, mount{point: f[4], options: f[5], kind: f[i+1]})
				break
			}
		}
	}
	return all
}

// maxReachable bounds the walk: a process that reaches more than this is not
// in a rootfs of ours.
const maxReachable = 2000

// reachable lists the regular files and device nodes below a root, and the
// directories that could not be read.
func reachable(root string) (files, nodes, unread []string) {
	count := 0
	_ = filepath.WalkDir(root+"/.", func(path string, d fs.DirEntry, err error) error {
		if count++; count > maxReachable {
			return fs.SkipAll
		}
		short := strings.TrimPrefix(path, root)
		if path == root+"/." {
			short = "/"
		}
		if err != nil {
			unread = append(unread, short)
			return fs.SkipDir
		}
		switch {
		case d.Type()&fs.ModeDevice != 0:
			nodes = append(nodes, short)
		case !d.IsDir():
			files = append(files, short)
		}
		return nil
	})
	return files, nodes, unread
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

// maps reads the mappings.
func (o *observed) maps(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	var all []area
	s := bufio.NewScanner(f)
	for s.Scan() {
		fields := bytes.Fields(s.Bytes())
		if len(fields) < 2 {
			continue
		}
		from, to, _ := strings.Cut(string(fields[0]), "-")
		a := area{mode: string(fields[1])}
		a.from, _ = strconv.ParseUint(from, 16, 64)
		a.to, _ = strconv.ParseUint(to, 16, 64)
		all = append(all, a)
		if strings.Contains(a.mode, "x") {
			o.exec++
			if strings.Contains(a.mode, "w") {
				o.wx = append(o.wx, string(s.Bytes()))
			}
		}
	}
	o.areas = all
}

// guarded says whether nothing can be touched right behind the guest's memory:
// QEMU keeps an inaccessible page there (util/mmap-alloc.c), where a run-away
// copy would arrive. size is the guest's memory in bytes; 0 takes the largest
// writable mapping for it. found is false where no mapping fits.
func (o *observed) guardedBehind(size uint64) (guarded, found bool) {
	at := -1
	for i, a := range o.areas {
		if !strings.HasPrefix(a.mode, "rw") {
			continue
		}
		if size > 0 && a.to-a.from == size {
			at = i
			break
		}
		if size == 0 && (at < 0 || a.to-a.from > o.areas[at].to-o.areas[at].from) {
			at = i
		}
	}
	if at < 0 {
		return false, false
	}
	if at == len(o.areas)-1 || o.areas[at+1].from != o.areas[at].to {
		return true, true // a hole
	}
	return strings.HasPrefix(o.areas[at+1].mode, "---"), true
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
				name := "unix socket without a name"
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
