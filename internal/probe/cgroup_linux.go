package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"skep/internal/host"
	"skep/internal/process"

	"golang.org/x/sys/unix"
)

// rememberedCgroup is what was tried, and where it was tried from.
type rememberedCgroup struct {
	Key    string      `json:"key"`
	Cgroup host.Cgroup `json:"cgroup"`
}

const cgroupMemory = "cgroup.json"

// findCgroups tries what can be had, and remembers a full success: a memory
// cgroup that was made and removed lingers in the kernel for a while, and that
// is too much for every `skep ps`. A host that changed its cgroups since then
// is noticed when a cell is started, which checks what it wrote.
//
// The mount table is not part of the key: on a host with many mounts it is
// slow to read. The name spaces and the directory's device stand for it.
func findCgroups(c cache, euid int, named string) host.Cgroup {
	own := text("/proc/self/cgroup")
	if named != "" {
		// A job's group is its own, and nobody else's memory.
		return cgroups(findTrees(text("/proc/self/mountinfo"), own), euid, named, liveDirs{})
	}
	mnt, _ := os.Readlink("/proc/self/ns/mnt")
	cg, _ := os.Readlink("/proc/self/ns/cgroup")
	key := fmt.Sprint(process.BootID(), mnt, cg, stampOf("/sys/fs/cgroup").dev, euid, own)
	var r rememberedCgroup
	if c.load(cgroupMemory, &r) == nil && r.Key == key {
		return r.Cgroup
	}
	g := cgroups(findTrees(text("/proc/self/mountinfo"), own), euid, "", liveDirs{})
	if len(g.Controllers) == len(host.Controllers) {
		_ = c.save(cgroupMemory, rememberedCgroup{key, g})
	}
	return g
}

// liveDirs asks the kernel.
type liveDirs struct{}

// mayCreate tries. access(2) is no answer here: in a container the top of the
// tree looks writable to root and is not, and some kernels limit the number of
// children.
func (liveDirs) mayCreate(dir string) error {
	d := filepath.Join(dir, baseName+"-probe-"+strconv.Itoa(os.Getpid()))
	err := os.Mkdir(d, 0o700)
	if err != nil && !os.IsExist(err) {
		return err.(*os.PathError).Err
	}
	return os.Remove(d)
}

func (liveDirs) mayWrite(file string) bool {
	return unix.Faccessat(unix.AT_FDCWD, file, unix.W_OK, unix.AT_EACCESS) == nil
}

func (liveDirs) read(file string) string { return text(file) }
