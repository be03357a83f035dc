package audit

import (
	"fmt"
	"slices"
	"strings"

	"skep/internal/devfs"
	"skep/internal/kinfo"
	"skep/internal/plan"
)

// rootfs: what it can reach by a name.
func (a *bsdAudit) rootfs() {
	a.roots()
	a.mounts()
	a.reach()
	a.environ(a.EnvRead, summary(a.Env))
}

// roots: root and jail are the rootfs, and so is where it stands.
func (a *bsdAudit) roots() {
	if !a.FilesRead {
		a.add(GroupPlace, "root", Unknown, "a root of its own", "cannot be read")
		return
	}
	root, jailed := a.special(kinfo.Root)
	at, _ := a.special(kinfo.Jail)
	cwd, _ := a.special(kinfo.CWD)
	want := a.Rootfs.Root
	if a.want != nil {
		want = a.want.root()
	}
	seen := fmt.Sprintf("root %s, jail's root %s, directory %s", orWords(root.Path, "?"), orWords(at.Path, "none"), orWords(cwd.Path, "?"))
	in := cwd.Path == want || strings.HasPrefix(cwd.Path, strings.TrimSuffix(want, "/")+"/")
	so := jailed && want != "" && want != "/" && root.Path == want && at.Path == want && in
	a.yes(GroupPlace, "root", orWords(want, "a root of its own"), so, true, seen)
	if a.want != nil && !a.want.tree.Existing {
		// The second is how a host closes it that has a securelevel of its own.
		nobodys := a.Rootfs.Owner == plan.NobodyUID && a.Rootfs.Mode&0o222 == 0
		so := a.Rootfs.Flags&immutable != 0 || nobodys
		a.yes(GroupPlace, "root-flags", "nobody can make anything in the root", so, a.Rootfs.MountRead,
			orNot(so, "it is not immutable (schg)"))
	}
}

// mounts compares what is mounted on the root and below it.
func (a *bsdAudit) mounts() {
	switch {
	case a.Proc.JID == 0:
		a.add(GroupPlace, "mounts", Missing, "those of a rootfs", "all of the host's")
		return
	case !a.Rootfs.MountRead:
		a.add(GroupPlace, "mounts", Unknown, "those of a rootfs", "cannot be read")
		return
	case a.want == nil:
		a.anyMounts()
		return
	}
	wanted := a.want.mountTable()
	var extra, missing, loose, points []string
	left := slices.Clone(wanted)
	for _, m := range a.Rootfs.Mounts {
		i := slices.IndexFunc(left, func(w wantedMount) bool { return w.on == m.On && w.kind == m.Kind })
		if i < 0 {
			// An existing tree may have mounts of its own; the file asked for it.
			if !a.want.tree.Existing {
				extra = append(extra, fmt.Sprintf("%s on %s", m.Kind, m.On))
			}
			continue
		}
		points = append(points, m.Kind)
		if lacks := left[i].flags &^ m.Flags; lacks != 0 {
			loose = append(loose, m.On+" is not "+flagNames(lacks))
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, w := range left {
		missing = append(missing, fmt.Sprintf("%s on %s", w.kind, w.on))
	}
	want := fmt.Sprintf("%d", len(wanted))
	a.compared(GroupPlace, "mounts", want, extra, missing, want+": "+summary(points))
	a.none(GroupPlace, "mount-flags", "nosuid, noexec but for the root, and read-only where the file says; a devfs tells none", loose)
}

// anyMounts: a jail of somebody else's should have what every rootfs has.
func (a *bsdAudit) anyMounts() {
	own := false
	var loose, points []string
	for _, m := range a.Rootfs.Mounts {
		own = own || m.On == a.Rootfs.Root
		points = append(points, m.Kind+" on "+m.On)
		if m.Kind == "devfs" {
			continue // it tells nobody its flags
		}
		if lacks := (mntNoSUID | mntReadOnly) &^ m.Flags; lacks != 0 {
			loose = append(loose, m.On+" is not "+flagNames(lacks))
		}
	}
	a.yes(GroupPlace, "mounts", "a root that is a mount of its own", own, true, orWords(summary(points), "its root is a directory of the host's file systems"))
	a.none(GroupPlace, "mount-flags", "read-only, nosuid", loose)
}

func flagNames(flags uint64) string {
	var all []string
	for _, f := range []struct {
		bit  uint64
		name string
	}{{mntReadOnly, "read-only"}, {mntNoSUID, "nosuid"}, {mntNoExec, "noexec"}} {
		if flags&f.bit != 0 {
			all = append(all, f.name)
		}
	}
	return strings.Join(all, ", ")
}

// reach: files in the rootfs.
func (a *bsdAudit) reach() {
	switch {
	case a.Proc.JID == 0:
		a.add(GroupPlace, "files", Missing, "0", "all of the host's")
		return
	case !a.Rootfs.FilesRead:
		a.add(GroupPlace, "files", Unknown, "0", "cannot be read")
		return
	case a.want == nil:
		a.count("files", 0, a.Rootfs.Files)
		return
	case a.want.tree.Existing:
		a.info(GroupPlace, "files", fmt.Sprintf("%d of %s, as the cell file asks", len(a.Rootfs.Files), a.want.tree.Path))
		return
	}
	planned := a.want.files()
	var extra []string
	for _, f := range a.Rootfs.Files {
		if !slices.Contains(planned, f) && !a.want.shown(f) {
			extra = append(extra, f)
		}
	}
	var missing []string
	for _, p := range planned {
		if !slices.Contains(a.Rootfs.Files, p) {
			missing = append(missing, p)
		}
	}
	want := fmt.Sprint(len(planned))
	a.compared(GroupPlace, "files", want, extra, missing, want+orBlank(planned))
}

func orBlank(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return ": " + summary(list)
}

// devices are the nodes but for their directories.
func devices(nodes []devfs.Node) []string {
	var all []string
	for _, n := range nodes {
		if n.Kind != devfs.Directory {
			all = append(all, n.Path)
		}
	}
	return all
}
