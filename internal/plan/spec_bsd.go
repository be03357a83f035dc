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
	}
	lines = append(lines, t.fill(t.copied)...)
	if t.Existing {
		return lines
	}
	return append(lines, command("mount", "-u", "-o", "ro", t.Path))
}

// fill are the commands that make what the root holds. FreeBSD's install(1) makes no directories, and
// by -D it understands something else.
func (t *JailRootfs) fill(copied func(Copy) string) []string {
	dirs := map[string]bool{}
	for _, d := range t.Dirs {
		dirs[t.Path+d] = true
	}
	var files []string
	put := func(inside, command string) {
		dirs[path.Dir(t.Path+inside)] = true
		files = append(files, command)
	}
	if !t.Existing {
		for _, f := range t.Files {
			put(f.Inside, command("install", "-m", "0555", f.Host, t.Path+f.Inside))
		}
	}
	for _, c := range t.Copies {
		put(c.Inside, copied(c))
	}
	for _, p := range t.Points {
		put(p, command("install", "-m", "0444", "/dev/null", t.Path+p))
	}
	delete(dirs, t.Path)
	if len(dirs) == 0 {
		return files
	}
	return append([]string{command(append([]string{"mkdir", "-p"}, slices.Sorted(maps.Keys(dirs))...)...)}, files...)
}

// copied is the command that makes one file of the root.
func (t *JailRootfs) copied(c Copy) string {
	switch c.From {
	case BuiltinHello:
		return "skep hello-rom > " + quote(t.Path+c.Inside)
	case ConfigFile:
		return "# skep writes " + t.Path + c.Inside + ": what must not be on a command line"
	}
	return command("install", "-m", "0444", c.From, t.Path+c.Inside)
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
	UID      int    `json:"uid,omitempty"`     // whose the tmpfs is
	Passing  bool   `json:"passing,omitempty"` // unmounted once bhyve has what it needs
}

// Kind implements Spec.
func (*Mount) Kind() Kind { return KindMount }

// Take implements Spec.
func (m *Mount) Take() []string {
	if m.Size > 0 {
		options := fmt.Sprintf("size=%d,mode=0700,nosuid,noexec", m.Size)
		if m.UID != 0 {
			options += fmt.Sprintf(",uid=%d,gid=%d", m.UID, m.UID)
		}
		return []string{command("mount", "-t", "tmpfs", "-o", options, "tmpfs", m.Path)}
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
	// Links are nodes of which only the name is there: a link to another node covers each.
	Links []DevLink `json:"links,omitempty"`
}

// DevLink is a symbolic link in a devfs, which covers the node of its name. It can be made while that is
// hidden, and no set of rules shows it.
type DevLink struct {
	Name string `json:"name"` // below /dev
	To   string `json:"to"`
	UID  int    `json:"uid"` // as a Node's
	// Late: the node itself is there until bhyveload has ended.
	Late bool `json:"late,omitempty"`
}

// Kind implements Spec.
func (*DevMount) Kind() Kind { return KindDevMount }

// Take implements Spec.
func (d *DevMount) Take() []string {
	lines := []string{command("mount", "-t", "devfs", "-o", "nosuid,noexec,ruleset="+strconv.Itoa(d.Ruleset), "devfs", d.Path)}
	for _, l := range d.Links {
		if l.Late {
			lines = append(lines, "# once bhyveload has ended:")
		}
		lines = append(lines, command("ln", "-s", l.To, path.Join(d.Path, l.Name)),
			command("devfs", "-m", d.Path, "rule", "apply", "path", l.Name, "unhide"))
	}
	return lines
}

// Release implements Spec.
func (d *DevMount) Release() []string { return []string{command("umount", d.Path)} }
