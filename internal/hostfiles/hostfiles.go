//go:build linux || freebsd

// Package hostfiles finds the files of the host that a guest is given to read. What lies below a directory may
// be anybody's making: no link is followed there, nothing but regular files is opened, and what is opened is
// what was found.
package hostfiles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"skep/internal/iso"
)

// A Mistake is something that cannot be given to a guest.
type Mistake struct {
	Path string
	Why  string
	Hint string
}

func (m *Mistake) Error() string { return m.Path + ": " + m.Why }

// maxMistakes is how many are worth reading.
const maxMistakes = 10

// Found are the files and directories of an image.
type Found struct {
	Files []iso.File
	Dirs  []string
	roots []*os.Root
}

// Close lets go of the directories.
func (f *Found) Close() {
	for _, r := range f.roots {
		r.Close()
	}
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// Find finds what is at some paths, each of which is in the image by its own name. All mistakes are found, up
// to some.
func Find(paths []string) (*Found, []*Mistake) {
	f := &Found{}
	var mistakes []*Mistake
	for _, p := range paths {
		mistakes = append(mistakes, f.add(p, maxMistakes-len(mistakes))...)
		if len(mistakes) >= maxMistakes {
			break
		}
	}
	if len(mistakes) > 0 {
		f.Close()
		return nil, mistakes
	}
	return f, nil
}

func (f *Found) count() int { return len(f.Files) + len(f.Dirs) }

// add finds what is at one path. The path itself may be a link: whoever wrote it down has named it.
func (f *Found) add(path string, most int) []*Mistake {
	info, err := os.Stat(path)
	if err != nil {
		return []*Mistake{{path, reason(err), ""}}
	}
	name := filepath.Base(path)
	if !info.IsDir() {
		if m := f.file(name, path, info, func() (*os.File, error) {
			return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		}); m != nil {
			return []*Mistake{m}
		}
		return nil
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return []*Mistake{{path, reason(err), ""}}
	}
	f.roots = append(f.roots, root)
	return f.walk(root, name, path, most)
}

// walk finds all below a directory.
func (f *Found) walk(root *os.Root, name, path string, most int) (mistakes []*Mistake) {
	err := fs.WalkDir(root.FS(), ".", func(below string, d fs.DirEntry, err error) error {
		at, inside := filepath.Join(path, below), filepath.ToSlash(filepath.Join(name, below))
		var m *Mistake
		switch {
		case err != nil:
			m = &Mistake{at, reason(err), ""}
		case f.count() >= iso.MaxEntries:
			mistakes = append(mistakes, &Mistake{path, fmt.Sprintf("there are more than %d files and directories", iso.MaxEntries),
				"pack them into one file, with tar(1) say"})
			return errEnough
		case strings.Count(inside, "/") >= iso.MaxDepth:
			m = &Mistake{at, fmt.Sprintf("it lies deeper than %d directories", iso.MaxDepth), "pack it into one file, with tar(1) say"}
		case d.IsDir():
			f.Dirs = append(f.Dirs, inside)
		default:
			info, ierr := d.Info()
			if ierr != nil {
				m = &Mistake{at, reason(ierr), ""}
				break
			}
			m = f.file(inside, at, info, func() (*os.File, error) {
				return root.OpenFile(below, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			})
		}
		if m == nil {
			return nil
		}
		if mistakes = append(mistakes, m); len(mistakes) >= most {
			return errEnough
		}
		if d != nil && d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) && len(mistakes) == 0 {
		mistakes = append(mistakes, &Mistake{path, reason(err), ""})
	}
	return mistakes
}

// file adds a regular file.
func (f *Found) file(inside, path string, info fs.FileInfo, open func() (*os.File, error)) *Mistake {
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return &Mistake{path, "it is a symbolic link, and what it leads to may lie anywhere", "name what it leads to, or leave it out of the directory"}
	case mode&fs.ModeDevice != 0:
		return &Mistake{path, "it is a device node", "only regular files and directories can be given to a guest so"}
	case !mode.IsRegular():
		return &Mistake{path, "it is not a regular file", "only regular files and directories can be given to a guest so"}
	case info.Size() > iso.MaxFile:
		return &Mistake{path, "it has 4 GiB or more, which no file of an ISO image can have", "split it, or name it as the file of a disk block"}
	}
	f.Files = append(f.Files, iso.File{
		Path: inside, Size: info.Size(), Time: info.ModTime(), Exec: info.Mode()&0o111 != 0,
		Open: func() (io.ReadCloser, error) { return opened(path, info, open) },
	})
	return nil
}

// opened opens a file and sees that it is the one that was found.
func opened(path string, found fs.FileInfo, open func() (*os.File, error)) (io.ReadCloser, error) {
	f, err := open()
	if err != nil {
		return nil, &Mistake{path, reason(err), ""}
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(now, found) || !now.Mode().IsRegular() {
		f.Close()
		return nil, &Mistake{path, "it is another file than a moment ago", "try it again"}
	}
	return f, nil
}

// reason is why the host refuses something, without the path.
func reason(err error) string {
	var pe *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case errors.As(err, &pe):
		return pe.Err.Error()
	}
	return err.Error()
}
