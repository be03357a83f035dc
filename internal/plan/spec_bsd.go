package plan

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"skep/internal/devfs"
	"skep/internal/host"
)

// Node is one device node of the rootfs, named exactly.
type Node struct {
	Path string `json:"path"` // below /dev: "vmm/web"
	UID  int    `json:"uid"`  // whose it becomes, mode 0600; -1 leaves owner and mode
}

// Ruleset is the cell's own set of devfs rules, devfs(8).
type Ruleset struct {
	Number int    `json:"number"`
	Nodes  []Node `json:"nodes"`
}

// Kind implements Spec.
func (*Ruleset) Kind() Kind { return KindRuleset }

// Rules are the rules: hide everything, then show these nodes and the
// directories above them.
func (r *Ruleset) Rules() ([]devfs.Rule, error) { return devfs.CellRules(Grants(r.Nodes)) }

// Take implements Spec.
func (r *Ruleset) Take() []string {
	rules, err := r.Rules()
	if err != nil {
		return []string{"# " + err.Error()}
	}
	var lines []string
	for _, argv := range devfs.Commands(r.Number, rules) {
		lines = append(lines, command(argv...))
	}
	return lines
}

// Release implements Spec.
func (r *Ruleset) Release() []string {
	return []string{command("devfs", "rule", "-s", strconv.Itoa(r.Number), "delset")}
}

// JailRootfs is the root of a cell's jail: a tmpfs(5) of its own, or an existing tree
// of the admin's, which is used as it is.
type JailRootfs struct {
	Path     string      `json:"path"`
	Size     int64       `json:"size,omitempty"` // bound of the tmpfs, bytes
	Files    []host.File `json:"files,omitempty"`
	Copies   []Copy      `json:"copies,omitempty"`
	Dirs     []string    `json:"dirs,omitempty"`   // made empty, to mount on
	Points   []string    `json:"points,omitempty"` // empty files, to mount on
	Existing bool        `json:"existing,omitempty"`
}

// Kind implements Spec.
func (*JailRootfs) Kind() Kind { return KindJailRootfs }

// Take implements Spec.
func (t *JailRootfs) Take() []string {
	var lines []string
	if !t.Existing {
		lines = append(lines, command("mkdir", "-m", "0755", t.Path),
			command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,nosuid", t.Size), "tmpfs", t.Path))
		for _, f := range t.Files {
			lines = append(lines, command("install", "-D", "-m", "0555", f.Host, t.Path+f.Inside))
		}
	}
	for _, c := range t.Copies {
		lines = append(lines, command("install", "-D", "-m", "0444", c.From, t.Path+c.Inside))
	}
	for _, d := range t.Dirs {
		lines = append(lines, command("mkdir", "-p", t.Path+d))
	}
	for _, p := range t.Points {
		lines = append(lines, command("install", "-D", "/dev/null", t.Path+p))
	}
	if t.Existing {
		return lines
	}
	return append(lines, command("mount", "-u", "-o", "ro", t.Path))
}

// Release implements Spec.
func (t *JailRootfs) Release() []string {
	var lines []string
	if t.Existing {
		ours, dirs := t.Ours()
		for _, f := range ours {
			lines = append(lines, command("rm", t.Path+f))
		}
		for _, d := range dirs {
			lines = append(lines, command("rmdir", t.Path+d))
		}
		return lines
	}
	return []string{command("umount", t.Path), command("rmdir", t.Path)}
}

// Ours are the files and the directories that an existing tree holds because of
// us, each directory after what is in it.
func (t *JailRootfs) Ours() (files, dirs []string) {
	below := map[string]bool{}
	add := func(p string) {
		for ; strings.HasPrefix(p, insideOurs); p = path.Dir(p) {
			below[p] = true
		}
	}
	for _, c := range t.Copies {
		files = append(files, c.Inside)
		add(path.Dir(c.Inside))
	}
	for _, p := range t.Points {
		files = append(files, p)
		add(path.Dir(p))
	}
	for _, d := range t.Dirs {
		add(d)
	}
	dirs = slices.Sorted(maps.Keys(below))
	slices.Reverse(dirs)
	return files, dirs
}

// ScratchCopy is a copy of an image, alone in a directory of its own, for a program that insists on opening for
// writing what it only reads.
type ScratchCopy struct {
	From string `json:"from"`
	Dir  string `json:"dir"`
}

// scratchName is the copy's name in its directory.
const scratchName = "image"

// Kind implements Spec.
func (*ScratchCopy) Kind() Kind { return KindScratchCopy }

// Path is the copy.
func (d *ScratchCopy) Path() string { return path.Join(d.Dir, scratchName) }

// Take implements Spec.
func (d *ScratchCopy) Take() []string {
	return []string{command("mkdir", "-p", "-m", "0700", d.Dir), command("cp", d.From, d.Path())}
}

// Release implements Spec.
func (d *ScratchCopy) Release() []string { return []string{command("rm", "-r", d.Dir)} }

// Mount is one file or directory of the host's shown in the rootfs, or a small
// tmpfs there.
type Mount struct {
	From     string `json:"from,omitempty"` // on the host; "" for a tmpfs
	Inside   string `json:"room"`           // where the rootfs has it
	Path     string `json:"path"`           // the same, as the host sees it
	ReadOnly bool   `json:"read_only,omitempty"`
	Dir      bool   `json:"dir,omitempty"`
	Size     int64  `json:"size,omitempty"`    // of a tmpfs, bytes
	Passing  bool   `json:"passing,omitempty"` // unmounted once bhyve has what it needs
}

// Kind implements Spec.
func (*Mount) Kind() Kind { return KindMount }

// Take implements Spec.
func (m *Mount) Take() []string {
	if m.Size > 0 {
		return []string{command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0700,nosuid,noexec", m.Size), "tmpfs", m.Path)}
	}
	options := "nosuid,noexec"
	if m.ReadOnly {
		options += ",ro"
	}
	return []string{command("mount", "-t", "nullfs", "-o", options, m.From, m.Path)}
}

// Release implements Spec.
func (m *Mount) Release() []string { return []string{command("umount", m.Path)} }

// DevMount is the rootfs's /dev.
type DevMount struct {
	Path    string `json:"path"`
	Ruleset int    `json:"ruleset"`
	Nodes   []Node `json:"nodes"` // all that it may show
}

// Kind implements Spec.
func (*DevMount) Kind() Kind { return KindDevMount }

// Take implements Spec.
func (d *DevMount) Take() []string {
	return []string{command("mount", "-t", "devfs", "-o", "nosuid,noexec,ruleset="+strconv.Itoa(d.Ruleset), "devfs", d.Path)}
}

// Release implements Spec.
func (d *DevMount) Release() []string { return []string{command("umount", d.Path)} }
