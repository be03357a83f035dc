package provision

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/guest/hello"
	"skep/internal/fault"
	"skep/internal/jail/freebsdjail"
	"skep/internal/layout"
	"skep/internal/plan"
)

// acquireTree makes the root of the jail and fills it.
func (t *bsdProvisioner) acquireTree(s *plan.JailRootfs) error {
	if s.Existing {
		if err := existingTree(s); err != nil {
			return err
		}
		return t.fill(s)
	}
	if err := rootDir(s.Path); err != nil {
		return err
	}
	// Its mode is that of the directory: with a mode option of its own, tmpfs(5)
	// would refuse to be made read-only later.
	err := freebsdjail.Mount("tmpfs", s.Path, [2]string{"from", "tmpfs"}, [2]string{"size", strconv.FormatInt(s.Size, 10)}, freebsdjail.Option("nosuid"))
	if err != nil {
		return fault.Wrap(fault.Jail, err, "kldload tmpfs", "make the rootfs")
	}
	return t.furnish(s)
}

// rootMode lets a user of the jail's through its directories, whatever umask the keeper has.
const rootMode = 0o755

// rootDir makes the directory that a rootfs is mounted on.
func rootDir(path string) error {
	if err := os.Mkdir(path, rootMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(path, rootMode)
}

// makeDirs makes a directory of a rootfs, and those it lies in. Those that are there are let be.
func makeDirs(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if err := makeDirs(root, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, rootMode); err != nil {
		if info, serr := root.Stat(dir); serr == nil && info.IsDir() {
			return nil
		}
		return err
	}
	return root.Chmod(dir, rootMode)
}

// existingTree refuses what cannot be a jail's root.
func existingTree(s *plan.JailRootfs) error {
	info, err := os.Lstat(s.Path)
	if err != nil || !info.IsDir() {
		return fault.New(fault.Input, "jail.root names a directory with a system in it", "use %s as the jail's root: it is no directory", s.Path)
	}
	if kind, err := freebsdjail.MountedOn(filepath.Join(s.Path, layout.Dev)); err != nil || kind != "" {
		return fault.New(fault.Input, "no two jails share a mount: umount "+filepath.Join(s.Path, layout.Dev), "use %s as the jail's root: something is mounted on its /dev", s.Path)
	}
	return nil
}

// furnish fills the rootfs, for a start or for a reset, and closes it for
// writing.
func (t *bsdProvisioner) furnish(s *plan.JailRootfs) error {
	if err := t.fill(s); err != nil {
		return err
	}
	if s.Existing {
		return nil
	}
	if err := readOnly(s, true); err != nil {
		return fault.Wrap(fault.Jail, err, "", "make the rootfs read-only")
	}
	return nil
}

// busyWait bounds waiting for a file that was written to be closed everywhere.
const busyWait = 30 * time.Second

// readOnly closes the rootfs for writing, or opens it. What was written is closed here, and can be open a moment longer in
// a child that this process has just forked and that has not come to its execve(2): then the kernel says EBUSY.
func readOnly(s *plan.JailRootfs, on bool) error {
	how := "rw" // left out, the kernel would keep the "ro" of before
	if on {
		how = "ro"
	}
	for deadline := time.Now().Add(busyWait); ; time.Sleep(20 * time.Millisecond) {
		err := freebsdjail.Mount("tmpfs", s.Path, freebsdjail.Option("update"), freebsdjail.Option("nosuid"), freebsdjail.Option(how))
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

func (t *bsdProvisioner) fill(s *plan.JailRootfs) error {
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range s.Files {
		if err := copyIn(root, f.Host, f.Inside, 0o555); err != nil {
			return fault.Wrap(fault.Host, err, "", "put %s into the rootfs", f.Host)
		}
	}
	for _, c := range s.Copies {
		if err := t.copyNamed(root, c); err != nil {
			return err
		}
	}
	for _, d := range s.Dirs {
		if err := makeDirs(root, below(d)); err != nil {
			return err
		}
	}
	for _, p := range s.Points {
		if err := point(root, p); err != nil {
			return err
		}
	}
	return nil
}

// point makes an empty file to mount on. One that is there is let be and not
// even opened: at a reset an image is still mounted on it, and what opens it
// opens the guest's disk.
func point(root *os.Root, rootfs string) error {
	p := below(rootfs)
	if err := makeDirs(root, filepath.Dir(p)); err != nil {
		return err
	}
	f, err := root.OpenFile(p, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func below(rootfs string) string { return strings.TrimPrefix(filepath.Clean(rootfs), "/") }

// copyNamed copies a file, or what a built-in name stands for.
func (t *bsdProvisioner) copyNamed(root *os.Root, c plan.Copy) error {
	switch c.From {
	case plan.BuiltinHello:
		return write(root, c.Inside, strings.NewReader(string(hello.ROM())), 0o444)
	case plan.ConfigFile:
		text, err := t.screenConfig()
		if err != nil {
			return err
		}
		return write(root, c.Inside, strings.NewReader(text), 0o400)
	}
	if err := copyIn(root, c.From, c.Inside, 0o444); err != nil {
		return fault.Wrap(fault.Input, err, "", "read %s", c.From)
	}
	return nil
}

func copyIn(root *os.Root, from, rootfs string, mode fs.FileMode) error {
	in, err := openPlain(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return write(root, rootfs, in, mode)
}

// write makes a file of the rootfs, with what directories it needs.
func write(root *os.Root, rootfs string, from io.Reader, mode fs.FileMode) error {
	p := below(rootfs)
	if err := makeDirs(root, filepath.Dir(p)); err != nil {
		return err
	}
	// Nothing is written over: what is left of an earlier one is ours and goes, and
	// what is mounted there is busy.
	if err := root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Under its mode from the start: a password is never readable.
	out, err := root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if cerr := out.Chmod(mode); err == nil {
		err = cerr
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

func releaseTree(s *plan.JailRootfs) error {
	if s.Existing {
		return releaseOurs(s)
	}
	if err := freebsdjail.Unmount(s.Path); err != nil {
		return err
	}
	return removeFile(s.Path)
}

// releaseOurs takes out of an existing tree what we put into it. Its mounts are
// gone by then; a directory that something else was put into stays.
func releaseOurs(s *plan.JailRootfs) error {
	root, err := os.OpenRoot(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	files, dirs := s.Ours()
	for _, f := range files {
		if err := root.Remove(below(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, d := range dirs {
		err := root.Remove(below(d))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
			return err
		}
	}
	return nil
}

// checkMount refuses what the cell file names as a directory, for a share or for
// the loader, and what is none. The files that it names are disks.
func checkMount(asked string, m *plan.Mount) error {
	if !strings.HasPrefix(asked, "share.") && !strings.HasPrefix(asked, "loader.") {
		return nil
	}
	info, err := os.Stat(m.From)
	if err != nil {
		return fault.Wrap(fault.Input, cause(err), checkPath, "show %s in the rootfs", m.From)
	}
	if !info.IsDir() {
		return fault.New(fault.Input, checkPath, "show %s in the rootfs: it is no directory", m.From)
	}
	return nil
}

// acquireMount shows one file or directory of the host's in the rootfs, or makes a
// small tmpfs there.
func acquireMount(m *plan.Mount) error {
	options := [][2]string{freebsdjail.Option("nosuid"), freebsdjail.Option("noexec")}
	if m.Size > 0 {
		owner := strconv.Itoa(m.UID)
		options = append(options, [2]string{"from", "tmpfs"}, [2]string{"size", strconv.FormatInt(m.Size, 10)},
			[2]string{"mode", "0700"}, [2]string{"uid", owner}, [2]string{"gid", owner})
		if err := freebsdjail.Mount("tmpfs", m.Path, options...); err != nil {
			return fault.Wrap(fault.Jail, err, "", "make %s in the rootfs", m.Inside)
		}
		return nil
	}
	if m.ReadOnly {
		options = append(options, freebsdjail.Option("ro"))
	}
	options = append(options, [2]string{"target", m.From}, [2]string{"from", m.From})
	err := freebsdjail.Mount("nullfs", m.Path, options...)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENODEV):
		return fault.Wrap(fault.Host, err, "kldload nullfs", "show %s in the rootfs", m.From)
	case errors.Is(err, unix.ENOTDIR) && !m.Dir:
		return fault.Wrap(fault.Host, err, "nullfs mounts single files from FreeBSD 14 on: use a zvol", "show the file %s in the rootfs", m.From)
	}
	return fault.Wrap(fault.Host, err, "", "show %s in the rootfs", m.From)
}
