package probe

import (
	"errors"
	"strings"
	"testing"

	"skep/internal/host"

	"github.com/google/go-cmp/cmp"
)

const (
	v2Mounts = `25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw
35 25 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
`
	hybridMounts = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
)

// view is a cgroup file system as a table.
type view struct {
	create map[string]bool
	write  map[string]bool
	files  map[string]string
}

func (v view) mayCreate(dir string) error {
	if v.create[dir] {
		return nil
	}
	return errors.New("permission denied")
}
func (v view) mayWrite(f string) bool { return v.write[f] }
func (v view) read(f string) string   { return v.files[f] }

func yes(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

func TestCgroups(t *testing.T) {
	const user = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service"
	all := []string{"memory", "pids", "cpu"}
	for name, tt := range map[string]struct {
		mounts, self string
		euid         int
		named        string
		view         view
		want         host.Cgroup
		why          string // a part of it
	}{
		"v2, root": {v2Mounts, "0::/init.scope\n", 0, "",
			view{create: yes("/sys/fs/cgroup"), write: yes("/sys/fs/cgroup/cgroup.subtree_control"), files: map[string]string{
				"/sys/fs/cgroup/cgroup.subtree_control": "memory pids\n", "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
				"/sys/fs/cgroup/cgroup.procs": "1\n2\n"}},
			host.Cgroup{Mode: host.CgroupV2, V2: "/sys/fs/cgroup/skep", Controllers: all}, ""},
		"v2, root in a container with processes at the top": {v2Mounts, "0::/\n", 0, "",
			view{create: yes("/sys/fs/cgroup"), write: yes("/sys/fs/cgroup/cgroup.subtree_control"), files: map[string]string{
				"/sys/fs/cgroup/cgroup.type": "domain\n", "/sys/fs/cgroup/cgroup.procs": "1\n",
				"/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n"}},
			host.Cgroup{Mode: host.CgroupV2, V2: "/sys/fs/cgroup/skep"}, "the memory controller cannot be handed down"},
		"v2, read-only in a container": {strings.Replace(v2Mounts, "rw,nosuid,nodev", "ro,nosuid,nodev", 1), "0::/\n", 0, "", view{},
			host.Cgroup{Mode: host.CgroupNone, ReadOnly: "/sys/fs/cgroup"}, "no cgroup file system is mounted for writing: /sys/fs/cgroup is read-only"},
		"v2, root and a kernel that says no": {v2Mounts, "0::/\n", 0, "", view{},
			host.Cgroup{Mode: host.CgroupNone, Closed: true}, "no directory can be made in /sys/fs/cgroup"},
		"v2, a user's delegated service": {v2Mounts, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n", 1000, "",
			view{create: yes(user), write: yes(user+"/cgroup.procs", user+"/cgroup.subtree_control",
				user+"/app.slice/cgroup.procs", user+"/app.slice/run-1.scope/cgroup.procs"),
				files: map[string]string{user + "/cgroup.type": "domain\n", user + "/cgroup.subtree_control": "memory pids\n",
					user + "/cgroup.controllers": "cpu memory pids\n"}},
			host.Cgroup{Mode: host.CgroupV2, V2: user + "/skep", Controllers: all}, ""},
		"v2, a user's login session": {v2Mounts, "0::/user.slice/user-1000.slice/session-3.scope\n", 1000, "",
			view{create: yes(user), write: yes(user + "/cgroup.procs")},
			host.Cgroup{Mode: host.CgroupNone}, "not in a cgroup of its own"},
		"hybrid, root": {hybridMounts, "4:memory:/deep/down\n1:cpu,cpuacct:/\n0::/\n", 0, "",
			view{create: yes("/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu,cpuacct")},
			host.Cgroup{Mode: host.CgroupHybrid, V2: "/sys/fs/cgroup/unified/skep", Controllers: all, V1: map[string]string{
				"memory": "/sys/fs/cgroup/memory/skep", "pids": "/sys/fs/cgroup/pids/skep", "cpu": "/sys/fs/cgroup/cpu,cpuacct/skep"}}, ""},
		"hybrid, a user": {hybridMounts, "4:memory:/\n8:pids:/p\n0::/\n", 1000, "", view{},
			host.Cgroup{Mode: host.CgroupNone, Closed: true}, "; no directory can be made in /sys/fs/cgroup/memory, /sys/fs/cgroup/pids/p: permission denied"},
		"v1 with one tree closed": {strings.Replace(hybridMounts, "cgroup2", "none", 1), "8:pids:/\n", 0, "",
			view{create: yes("/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu,cpuacct")},
			host.Cgroup{Mode: host.CgroupV1, Controllers: []string{"memory", "cpu"}, V1: map[string]string{
				"memory": "/sys/fs/cgroup/memory/skep", "cpu": "/sys/fs/cgroup/cpu,cpuacct/skep"}}, "no directory can be made in /sys/fs/cgroup/pids"},
		"v2, below a job's": {v2Mounts, "0::/slurm/job_7/task_0\n", 0, "auto",
			view{create: yes("/sys/fs/cgroup/slurm/job_7/task_0"), files: map[string]string{
				"/sys/fs/cgroup/slurm/job_7/task_0/cgroup.type": "domain\n", "/sys/fs/cgroup/slurm/job_7/task_0/cgroup.procs": "88\n",
				"/sys/fs/cgroup/slurm/job_7/task_0/cgroup.controllers": "cpu memory pids\n", "/sys/fs/cgroup/slurm/job_7/task_0/memory.max": "max\n",
				"/sys/fs/cgroup/slurm/job_7/memory.max": "314572800\n"}},
			host.Cgroup{Mode: host.CgroupV2, V2: "/sys/fs/cgroup/slurm/job_7/task_0/skep", Controllers: all, Parent: "auto", Limit: 300 << 20,
				Below: []string{"/sys/fs/cgroup/slurm/job_7/task_0"}, Own: "/sys/fs/cgroup/slurm/job_7/task_0/skep-own"}, ""},
		"v2, below a job's that has a cell already": {v2Mounts, "0::/job_7/skep-own\n", 0, "auto",
			view{create: yes("/sys/fs/cgroup/job_7"), files: map[string]string{"/sys/fs/cgroup/job_7/cgroup.type": "domain\n",
				"/sys/fs/cgroup/job_7/cgroup.controllers": "cpu memory pids\n", "/sys/fs/cgroup/job_7/cgroup.subtree_control": "cpu memory pids\n"}},
			host.Cgroup{Mode: host.CgroupV2, V2: "/sys/fs/cgroup/job_7/skep", Controllers: all, Parent: "auto",
				Below: []string{"/sys/fs/cgroup/job_7"}, Own: "/sys/fs/cgroup/job_7/skep-own"}, ""},
		"hybrid, below a job's": {hybridMounts, "4:memory:/slurm/job_7\n1:cpu,cpuacct:/\n8:pids:/\n0::/\n", 0, "auto",
			view{create: yes("/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory/slurm/job_7", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu,cpuacct"),
				files: map[string]string{"/sys/fs/cgroup/memory/slurm/job_7/memory.stat": "cache 0\nhierarchical_memory_limit 314572800\n"}},
			host.Cgroup{Mode: host.CgroupHybrid, V2: "/sys/fs/cgroup/unified/skep", Controllers: all, Parent: "auto", Limit: 300 << 20,
				Below: []string{"/sys/fs/cgroup/memory/slurm/job_7"}, V1: map[string]string{
					"memory": "/sys/fs/cgroup/memory/slurm/job_7/skep", "pids": "/sys/fs/cgroup/pids/skep", "cpu": "/sys/fs/cgroup/cpu,cpuacct/skep"}}, ""},
		"hybrid, below one that is named": {hybridMounts, "0::/\n", 0, "/lab",
			view{create: yes("/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory/lab", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu,cpuacct"),
				write: yes("/sys/fs/cgroup/memory/lab/cgroup.procs"),
				files: map[string]string{"/sys/fs/cgroup/memory/lab/memory.stat": "hierarchical_memory_limit 9223372036854771712\n"}},
			host.Cgroup{Mode: host.CgroupHybrid, V2: "/sys/fs/cgroup/unified/skep", Controllers: all, Parent: "/lab",
				Below: []string{"/sys/fs/cgroup/memory/lab"}, V1: map[string]string{
					"memory": "/sys/fs/cgroup/memory/lab/skep", "pids": "/sys/fs/cgroup/pids/skep", "cpu": "/sys/fs/cgroup/cpu,cpuacct/skep"}}, ""},
		"v2, a user below a job's that is root's": {v2Mounts, "0::/slurm/job_7\n", 1000, "auto", view{},
			host.Cgroup{Mode: host.CgroupNone, Closed: true, Parent: "auto",
				Below: []string{"/sys/fs/cgroup/slurm/job_7"}}, "no directory can be made in /sys/fs/cgroup/slurm/job_7"},
		"nothing mounted": {"", "", 0, "", view{}, host.Cgroup{Mode: host.CgroupNone}, "no cgroup file system"},
		"nonsense":        {"1 2 3\n- - - - - - - - - -\n36 35 98:0 / /x rw\n", "x\n::\n", 0, "", view{}, host.Cgroup{Mode: host.CgroupNone}, "no cgroup file system"},
	} {
		t.Run(name, func(t *testing.T) {
			got := cgroups(findTrees(tt.mounts, tt.self), tt.euid, tt.named, tt.view)
			if !strings.Contains(got.Why, tt.why) || (tt.why == "") != (got.Why == "") {
				t.Errorf("why: %q", got.Why)
			}
			got.Why = ""
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A mount that shows only a part of its tree, and a mount point with a blank.
func TestBelow(t *testing.T) {
	m := parseMountinfo(`9 8 0:30 /docker/abc /my\040cgroup rw shared:1 master:2 - cgroup2 cgroup rw` + "\n")
	if len(m) != 1 || m[0].point != "/my cgroup" || m[0].root != "/docker/abc" {
		t.Fatalf("%+v", m)
	}
	for p, want := range map[string]string{
		"/docker/abc": "/my cgroup", "/docker/abc/x": "/my cgroup/x", "/docker/abcd": "", "/": "", "/../x": "", "": "",
	} {
		if got := below(m[0], p); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
}

func FuzzTrees(f *testing.F) {
	f.Add(v2Mounts, "0::/\n")
	f.Add(hybridMounts, "4:memory:/x\n")
	f.Fuzz(func(t *testing.T, mounts, self string) { cgroups(findTrees(mounts, self), 1000, "auto", view{}) })
}
