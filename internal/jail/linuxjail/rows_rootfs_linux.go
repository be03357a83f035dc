package linuxjail

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
)

const (
	dirMode  = 0o555
	fileMode = 0o444 // of a copy; a placeholder's mode never shows
	devDir   = "dev"
)

// rootfs builds the root of what was taken: a tmpfs, the files in it, and then the old root gone.
func (b *builder) rootfs() {
	size := strconv.FormatInt(b.spec.Root.Size, 10)
	dirs := b.spec.Root.directories()
	inodes := strconv.Itoa(len(dirs) + len(b.spec.Root.Files) + len(b.spec.Root.Copies) + len(b.spec.Root.Nodes) + 1)
	config := func(name, key, value, why string) Step {
		return step("", name, sysFsconfig, why, from("new-root"),
			named("FSCONFIG_SET_STRING", unix.FSCONFIG_SET_STRING), str(key), str(value), number(0))
	}
	if b.facts.initialRoot && b.spec.cloneFrom() == nil {
		b.cover()
	}
	b.rows(
		step("", "new-root", sysFsopen, "a root of our own, in memory", str("tmpfs"), flags(bit{"FSOPEN_CLOEXEC", unix.FSOPEN_CLOEXEC})),
		config("bound-root", "size", size, "just as large as what goes in"),
		config("bound-root-entries", "nr_inodes", inodes, "and with just as many entries"),
		config("root-mode", "mode", strconv.FormatInt(dirMode, 8), "to be read and searched"),
		step("", "create-root", sysFsconfig, "", from("new-root"), named("FSCONFIG_CMD_CREATE", unix.FSCONFIG_CMD_CREATE), null(), null(), number(0)),
		step("", "mount-root", sysFsmount, "", from("new-root"), flags(mountClose), flags(nodev, nosuid, noexec)),
		step("", "place-root", sysMoveMount, "on top of the old root", from("mount-root"), emptyPath,
			cwd, str("/"), moveFlags),
		step("", "no-umask", sysUmask, "modes are as written here", octal(0)),
	)
	for _, dir := range dirs {
		b.rows(step("", "dir-/"+dir, sysMkdirat, "on the way to a file", from("mount-root"), str(dir), octal(dirMode)))
	}
	for i, f := range b.spec.Root.Files {
		b.file(i, f)
	}
	if b.in.nodes < 0 {
		for _, n := range b.spec.Root.Nodes {
			b.rows(b.slot(relative(n.Inside)))
		}
	}
	for i, c := range b.spec.Root.Copies {
		b.copy(c, b.in.copies[i])
	}
	b.rows(
		step("", "enter-root", sysFchdir, "", from("mount-root")),
		step("", "pivot", sysPivotRoot, "the new root below, the old one on top of it", str("."), str(".")),
		step("", "drop-old-root", sysUmount, "and the host's files are gone", str("."), flags(bit{"MNT_DETACH", unix.MNT_DETACH})),
		step("", "enter-rootfs", sysChdir, "", str("/")),
		b.attributes("close-rootfs", "/", "no writes, no devices, no execution of what was copied in", rdonly, nodev, nosuid, noexec),
	)
	b.placeNodes()
	b.rows(step("", "strict-umask", sysUmask, "in case something could be made", octal(0o777)))
}

func (b *builder) attributes(name, at, why string, set ...bit) Step {
	return step("", name, sysMountSetattr, why, append([]Arg{cwd, str(at), number(0)}, setattr(set...)...)...)
}

// attributes of a file's mount.
func (f File) attributes() []bit {
	if f.Exec {
		return []bit{rdonly, nodev, nosuid}
	}
	return []bit{rdonly, nodev, nosuid, noexec}
}

// take copies the mounts of the host's files and nodes, by path, where the keeper could not. It
// comes before the new root lies on the old one: from then on a ".." in a link would lead there. And it
// comes before the cell's user: the way to a file of the caller's, a home directory of mode 0700 say, is
// open to the caller alone. What is copied is one file, which the cell's user must still be able to read.
func (b *builder) take() {
	b.rows(step("", "private-mounts", sysMount, "no mount of ours shows outside, none of theirs in here",
		null(), str("/"), null(), flags(bit{"MS_REC", unix.MS_REC}, bit{"MS_PRIVATE", unix.MS_PRIVATE}), null()))
	take := func(name string, host jail.HostPath, set []bit) {
		b.rows(
			step("", "take-"+name, sysOpenTree, "of the host", cwd, str(string(host)), takeFlags),
			step("", "bar-"+name, sysMountSetattr, "", append([]Arg{from("take-" + name), emptyPath,
				flags(bit{"AT_EMPTY_PATH", unix.AT_EMPTY_PATH})}, setattr(set...)...)...))
	}
	if len(b.in.files) == 0 {
		for _, f := range b.spec.Root.Files {
			take(string(f.Inside), f.Host, f.attributes())
		}
	}
	if b.in.nodes < 0 {
		for _, n := range b.spec.Root.Nodes {
			take(string(n.Inside), n.Host, []bit{rdonly, nosuid, noexec})
		}
	}
}

// file shows one file of the host: a copy of its mount with stricter flags on an empty placeholder.
// Root's keeper hands the mount in; an ordinary user's cannot make one, so the child does.
func (b *builder) file(i int, f File) {
	in, what := relative(f.Inside), from("take-"+string(f.Inside))
	if len(b.in.files) > 0 {
		what = descriptor(string(f.Host), b.in.files[i])
	}
	b.rows(b.slot(in), b.move("place-"+string(f.Inside), what, from("mount-root"), in))
}

func (b *builder) slot(in string) Step {
	return step("", "slot-/"+in, sysMknodat, "a name to mount on", from("mount-root"), str(in),
		named("S_IFREG|0", unix.S_IFREG), number(0))
}

func (b *builder) move(name string, what, dir Arg, to string) Step {
	return step("", name, sysMoveMount, "", what, emptyPath, dir, str(to),
		moveFlags)
}

func (b *builder) copy(c Copy, source int) {
	name, in := string(c.Inside), relative(c.Inside)
	b.rows(
		step("", "make-"+name, sysOpenat, "a file of the caller's, by descriptor", from("mount-root"), str(in),
			flags(bit{"O_WRONLY", unix.O_WRONLY}, bit{"O_CREAT", unix.O_CREAT}, bit{"O_EXCL", unix.O_EXCL}, bit{"O_CLOEXEC", unix.O_CLOEXEC}), octal(fileMode)),
		step("", "copy-"+name, sysSendfile, "", from("make-"+name), descriptor(fmt.Sprintf("source of %s", name), source),
			mem("&0", new(int64)), number(int(c.Size))).inFull(),
		// A file open for writing would keep the mount from becoming read-only.
		step("", "done-"+name, sysClose, "", from("make-"+name)),
	)
}

// placeNodes shows the devices, after the rootfs was closed to all others.
func (b *builder) placeNodes() {
	if len(b.spec.Root.Nodes) == 0 {
		return
	}
	if b.in.nodes < 0 {
		for _, n := range b.spec.Root.Nodes {
			b.rows(b.move("place-"+string(n.Inside), from("take-"+string(n.Inside)), cwd, string(n.Inside)))
		}
		return
	}
	b.rows(
		step("", "place-devices", sysMoveMount, "nodes of the cell's own user, made by the keeper",
			descriptor("devices", b.in.nodes), emptyPath, cwd, str("/"+devDir),
			moveFlags),
		b.attributes("close-devices", "/"+devDir, "nothing can be added there", rdonly, nosuid, noexec),
	)
}
