package tool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"skep/internal/elf"
	"skep/internal/host"
	"skep/internal/jail/freebsdjail"
	"skep/internal/process"
)

// rootfs is the root of the jail of a program: a tmpfs with it and its libraries, and its descriptors
// below /dev/fd.
type rootfs struct {
	dir, root, program string
	argv               []string
}

// toolDirs are where rootfs of tools are made. Each is named for the process that made it and its start,
// so that those of dead ones can be told.
func toolDirs(f host.Facts) string { return filepath.Join(f.Dirs.Run, "tools") }

func furnish(f host.Facts, j Job) (r rootfs, err error) {
	all := toolDirs(f)
	if err := os.MkdirAll(all, 0o700); err != nil {
		return r, err
	}
	clearDead(all)
	self, err := process.Look(os.Getpid())
	if err != nil {
		return r, err
	}
	if r.dir, err = os.MkdirTemp(all, fmt.Sprintf("%d-%d-", os.Getpid(), self.Start)); err != nil {
		return r, err
	}
	r.root = filepath.Join(r.dir, "root")
	defer func() {
		if err != nil {
			err = errors.Join(err, r.clear())
		}
	}()
	files, err := elf.Closure(elf.Search{Configured: []string{"/usr/local/lib"}}, j.Tool.path)
	if err != nil {
		return r, err
	}
	var size int64 = 4 << 20
	for _, f := range files {
		info, err := os.Stat(f.Host)
		if err != nil {
			return r, err
		}
		size += info.Size() + 4096
	}
	if err = os.Mkdir(r.root, 0o755); err != nil {
		return r, err
	}
	if err = freebsdjail.Mount("tmpfs", r.root, [2]string{"from", "tmpfs"}, [2]string{"size", strconv.FormatInt(size, 10)}, freebsdjail.Option("nosuid")); err != nil {
		return r, err
	}
	for _, f := range files {
		if err = copyFile(filepath.Join(r.root, f.Inside), f.Host); err != nil {
			return r, err
		}
	}
	fd := filepath.Join(r.root, "dev", "fd")
	if err = os.MkdirAll(fd, 0o755); err != nil {
		return r, err
	}
	if err = freebsdjail.Mount("fdescfs", fd, [2]string{"from", "fdescfs"}, freebsdjail.Option("nosuid"), freebsdjail.Option("noexec")); err != nil {
		return r, err
	}
	if err = freebsdjail.Mount("tmpfs", r.root, freebsdjail.Option("update"), freebsdjail.Option("nosuid"), freebsdjail.Option("ro")); err != nil {
		return r, err
	}
	r.program, r.argv = files[0].Inside, []string{j.Tool.path}
	for _, a := range j.Args {
		for i, f := range j.Files {
			a = strings.ReplaceAll(a, inJail(f.Name), "/dev/fd/"+strconv.Itoa(firstFile+i))
		}
		r.argv = append(r.argv, a)
	}
	return r, nil
}

func copyFile(to, from string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o555)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// clear takes it all away again.
func (r rootfs) clear() error { return clearDir(r.dir) }

func clearDir(dir string) error {
	root := filepath.Join(dir, "root")
	return errors.Join(freebsdjail.Unmount(filepath.Join(root, "dev", "fd")), freebsdjail.Unmount(root), os.Remove(root), os.Remove(dir))
}

// clearDead takes away what callers that were killed have left.
func clearDead(all string) {
	entries, _ := os.ReadDir(all)
	for _, e := range entries {
		words := strings.SplitN(e.Name(), "-", 3)
		if len(words) != 3 {
			continue
		}
		pid, err1 := strconv.Atoi(words[0])
		start, err2 := strconv.ParseUint(words[1], 10, 64)
		if err1 == nil && err2 == nil && !process.Lives(pid, start) {
			_ = clearDir(filepath.Join(all, e.Name()))
		}
	}
}
