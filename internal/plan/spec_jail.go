package plan

import (
	"fmt"
	"strconv"
	"strings"

	"skep/internal/address"
	"skep/internal/host"
)

// Copy is a file of the rootfs whose bytes are copied in, so that the rootfs does
// not depend on who may walk to the original.
type Copy struct {
	From   string `json:"from"` // path on the host, or "builtin:hello"
	Inside string `json:"room"`
}

// Rootfs is the root of a cell: a private file system that holds the
// hypervisor, what it needs to start, and nothing else.
type Rootfs struct {
	Files   []host.File `json:"files"`             // programs and libraries, shown read-only, one by one
	Data    []host.File `json:"data,omitempty"`    // the same, and never executed
	Copies  []Copy      `json:"copies,omitempty"`  // copied in
	Devices []string    `json:"devices,omitempty"` // device nodes, named exactly
	Size    int64       `json:"size"`              // bound of what may be written to it while it is made, bytes
	// Code is how many bytes of its files a hypervisor maps to execute them, and Linked how many it would with all
	// that it has linked. 0 is unknown.
	Code   int64 `json:"code,omitempty"`
	Linked int64 `json:"linked,omitempty"`
}

// Kind implements Spec.
func (*Rootfs) Kind() Kind { return KindRootfs }

// Take implements Spec.
func (r *Rootfs) Take() []string {
	lines := []string{fmt.Sprintf("mount -t tmpfs -o size=%d,mode=0755,nosuid,nodev rootfs /mnt", r.Size)}
	for _, f := range r.Files {
		lines = append(lines, "install -D /dev/null "+quote("/mnt"+f.Inside)+" && "+
			command("mount", "-o", "bind,ro,nosuid,nodev", f.Host, "/mnt"+f.Inside))
	}
	for _, f := range r.Data {
		lines = append(lines, "install -D /dev/null "+quote("/mnt"+f.Inside)+" && "+
			command("mount", "-o", "bind,ro,nosuid,nodev,noexec", f.Host, "/mnt"+f.Inside))
	}
	for _, c := range r.Copies {
		lines = append(lines, command("install", "-D", "-m", "0444", c.From, "/mnt"+c.Inside))
	}
	for _, d := range r.Devices {
		lines = append(lines, "install -D /dev/null "+quote("/mnt"+d)+" && "+command("mount", "--bind", d, "/mnt"+d))
	}
	return append(lines, "mount -o remount,ro /mnt && cd /mnt && pivot_root . . && umount -l .")
}

// Release implements Spec. The rootfs lives in the jail's own mount namespace
// and goes with its last process.
func (*Rootfs) Release() []string { return nil }

// Rlimit is one resource limit of setrlimit(2), soft and hard alike.
type Rlimit struct {
	Name  string `json:"name"` // as prlimit(1) has it: "core", "nofile", …
	Value uint64 `json:"value"`
}

// Jail is what surrounds the hypervisor on Linux.
type Jail struct {
	Hostname   string   `json:"hostname"`
	Identity   string   `json:"identity"` // "root", "subuid" or "own": how the uid is come by
	UID        int      `json:"uid"`
	GID        int      `json:"gid"`
	Namespaces []string `json:"namespaces"`
	Rlimits    []Rlimit `json:"rlimits"`
	// Features choose the rows of the system call table: "disk", "nic", "kvm",
	// "tcg", "screen".
	Features []string `json:"features,omitempty"`
	Cgroups  []string `json:"cgroups,omitempty"` // paths that it is put into before its first instruction
	Layers   []string `json:"layers"`            // applied, by name
	// Bound: the kernel ends it when its keeper ends.
	Bound bool `json:"bound,omitempty"`
}

// Kind implements Spec.
func (*Jail) Kind() Kind { return KindJail }

// Take implements Spec.
func (j *Jail) Take() []string {
	var lines []string
	for _, g := range j.Cgroups {
		lines = append(lines, writes("0", g+"/cgroup.procs"))
	}
	flags := make([]string, len(j.Namespaces))
	for i, n := range j.Namespaces {
		flags[i] = "--" + n
	}
	limits := make([]string, len(j.Rlimits))
	for i, l := range j.Rlimits {
		limits[i] = fmt.Sprintf("--%s=%d", l.Name, l.Value)
	}
	privs := "--no-new-privs"
	if j.Bound {
		privs += " --pdeathsig KILL"
	}
	return append(lines,
		"unshare --fork "+strings.Join(flags, " ")+" hostname "+quote(j.Hostname),
		"prlimit "+strings.Join(limits, " "),
		fmt.Sprintf("setpriv --reuid %d --regid %d --clear-groups --bounding-set=-all --inh-caps=-all --ambient-caps=-all %s", j.UID, j.GID, privs),
		"# layers: "+strings.Join(j.Layers, " "),
	)
}

// Release implements Spec.
func (*Jail) Release() []string { return nil }

// Descriptor is an open file that the hypervisor is given under a number.
type Descriptor struct {
	Number int    `json:"number"`
	Name   string `json:"name"` // "qmp", "console", "disk:LABEL", "tap:LABEL", …
	Use    string `json:"use"`  // how it is opened, as hypervisor.Use
}

// Hypervisor is the process that runs the guest.
type Hypervisor struct {
	Path        string       `json:"path"` // in the rootfs
	Argv        []string     `json:"argv"`
	Descriptors []Descriptor `json:"descriptors,omitempty"`
}

// Kind implements Spec.
func (*Hypervisor) Kind() Kind { return KindHypervisor }

// Take implements Spec.
func (h *Hypervisor) Take() []string {
	line := "env -i "
	if len(h.Argv) > 0 {
		line += command(append([]string{h.Path}, h.Argv[1:]...)...)
	}
	for _, d := range h.Descriptors {
		line += " " + strconv.Itoa(d.Number) + "<>" + quote(d.Name)
	}
	return []string{line}
}

// Release implements Spec.
func (h *Hypervisor) Release() []string { return []string{"kill -KILL %1"} }

// splitListen splits "host:port"; the cell file was checked, so it splits.
func splitListen(s string) (host, port string) {
	host, port, err := address.SplitPort(s)
	if err != nil {
		return s, ""
	}
	return host, port
}
