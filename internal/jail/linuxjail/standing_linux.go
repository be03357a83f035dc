package linuxjail

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
)

// settings are the sysctls of a cell's namespaces that are looked at: a directory
// stands for what is in it. Those of its user namespace are not: no process can
// enter that and keep its threads.
var settings = []struct{ name, why string }{
	{jail.HostName, "what the hypervisor takes the host's name for"},
	{"kernel/domainname", "the same"},
	{"net/ipv4/ip_forward", "whether its network would pass packets on"},
	{"net/ipv4/conf/all", "routing, redirects, filters by source, ARP"},
	{"net/ipv4/ip_nonlocal_bind", "whether it could have others' addresses"},
	{"net/ipv4/ip_unprivileged_port_start", "which ports are for anybody"},
	{"net/ipv4/ping_group_range", "who may send ICMP"},
	{"net/ipv6/conf/all/forwarding", "as for IPv4"},
	{"net/ipv6/conf/all/disable_ipv6", "whether there is any"},
	{"net/ipv6/conf/all/accept_ra", "whether routers are believed"},
	{"net/core/somaxconn", "memory of sockets"},
	{"net/unix/max_dgram_qlen", "the same"},
	{"kernel/msgmax", "memory of message queues"},
	{"kernel/msgmnb", "the same"},
	{"kernel/msgmni", "the same"},
	{"kernel/shmall", "shared memory"},
	{"kernel/shmmax", "the same"},
	{"kernel/shmmni", "the same"},
	{"kernel/sem", "semaphores"},
	{"fs/mqueue", "POSIX message queues"},
}

// StandingOf reads it of a process.
func StandingOf(pid int) jail.Standing {
	s := jail.Standing{Affinity: affinity(pid), Scheduler: Scheduler(fmt.Sprintf("/proc/%d/stat", pid))}
	if os.Geteuid() == 0 {
		s.Settings = settingsOf(pid)
	}
	return s
}

func affinity(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list)
		}
	}
	return ""
}

// policies are those of sched(7), by number.
var policies = map[string]string{"0": "other", "1": "fifo", "2": "rr", "3": "batch", "5": "idle", "6": "deadline", "7": "ext"}

// Scheduler is what a stat file of proc_pid_stat(5) says of policy and priority;
// "" where it cannot be read.
func Scheduler(path string) string {
	b, err := os.ReadFile(path)
	at := strings.LastIndexByte(string(b), ')')
	if err != nil || at < 0 {
		return ""
	}
	const state, nice, rtPriority, policy = 3, 19, 40, 41 // as they are numbered there
	f := strings.Fields(string(b[at+1:]))
	if len(f) <= policy-state {
		return ""
	}
	s := policies[f[policy-state]]
	if s == "" {
		s = "policy " + f[policy-state]
	}
	s += ", nice " + f[nice-state]
	if rt := f[rtPriority-state]; rt != "0" {
		s += ", priority " + rt
	}
	return s
}

// entered are the namespaces that the table is about.
var entered = []string{"uts", "ipc", "net"}

// settingsOf reads the table in the namespaces of a process, on a thread that
// enters them, and goes home again.
func settingsOf(pid int) (all map[string]string) {
	onThread(func() (home bool) {
		back := make([]int, len(entered))
		for i, ns := range entered {
			fd, err := unix.Open("/proc/thread-self/ns/"+ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return true
			}
			defer unix.Close(fd)
			back[i] = fd
		}
		home = true
		for i, ns := range entered {
			if joinNamespace(fmt.Sprintf("/proc/%d/ns/%s", pid, ns)) != nil {
				return home
			}
			defer func() { home = unix.Setns(back[i], 0) == nil && home }()
		}
		all = map[string]string{}
		for _, s := range settings {
			readSettings("/proc/sys", s.name, all)
		}
		return home
	})
	return all
}

// onThread runs f on a thread that nothing else runs on, and never on the first:
// what reads /proc/self sees where that is. A thread that does not come home is
// thrown away.
func onThread(f func() (home bool)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			onThread(f) // this one is taken meanwhile
			runtime.UnlockOSThread()
			return
		}
		if f() {
			runtime.UnlockOSThread()
		}
	}()
	<-done
}

func joinNamespace(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, 0)
}

// readSettings reads one sysctl, or those in a directory of them.
func readSettings(root, name string, all map[string]string) {
	path := filepath.Join(root, name)
	if entries, err := os.ReadDir(path); err == nil {
		for _, e := range entries {
			readSettings(root, name+"/"+e.Name(), all)
		}
		return
	}
	if b, err := os.ReadFile(path); err == nil {
		all[name] = strings.Join(strings.Fields(string(b)), " ")
	}
}

// Frozen says which control group of a process is frozen, by the paths that
// GroupsIn gives; "" where none is.
func Frozen(groups map[string]string) string {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		_, rest, ok := strings.Cut(line, " - ")
		kind := strings.Fields(rest)
		if !ok || len(kind) < 3 || len(f) < 5 {
			continue
		}
		switch {
		case kind[0] == "cgroup2":
			b, _ := os.ReadFile(filepath.Join(f[4], groups["v2"], "cgroup.events"))
			if strings.Contains(string(b), "frozen 1") {
				return groups["v2"]
			}
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",freezer,"):
			b, _ := os.ReadFile(filepath.Join(f[4], groups["freezer"], "freezer.state"))
			if state := strings.TrimSpace(string(b)); state == "FROZEN" || state == "FREEZING" {
				return groups["freezer"]
			}
		}
	}
	return ""
}
