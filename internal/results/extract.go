package results

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/ext4"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
	"github.com/diskfs/go-diskfs/filesystem/fat16"
	"github.com/diskfs/go-diskfs/filesystem/fat32"

	"skep/internal/cell"
	"skep/internal/ext4file"
)

// errEnough ends a walk whose bounds are used up.
var errEnough = errors.New("enough")

// extraction is one disk on its way out.
type extraction struct {
	out  writer
	left Bounds // what is left of the bounds
	size Bounds
	disk io.ReaderAt // with a file system
}

// Extract reads a disk and writes the stream of it. It runs in the jail.
func Extract(w io.Writer, disk *os.File, size int64, format cell.ResultsFormat, b Bounds) error {
	x := &extraction{out: writer{w}, left: b, size: b}
	var err error
	if format == cell.ResultsTar {
		err = x.tar(io.NewSectionReader(disk, 0, size))
	} else {
		err = x.files(disk, size, format)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return x.out.record(isEnd, "", 0)
}

// take takes a file or directory out of the bounds.
func (x *extraction) take(size int64) error {
	what := ""
	if x.left.Files--; x.left.Files < 0 {
		what = fmt.Sprintf("more than %d files and directories", x.size.Files)
	} else if x.left.Size -= size; x.left.Size < 0 {
		what = fmt.Sprintf("more than %d bytes in files", x.size.Size)
	}
	if what == "" {
		return nil
	}
	if err := x.out.text(isMore, "", what); err != nil {
		return err
	}
	return errEnough
}

// leave says that something is not brought out. Its path is shown to a person, as far as it goes.
func (x *extraction) leave(path, why string) error {
	if err := x.take(0); err != nil {
		return err
	}
	return x.out.text(isLeft, path[:min(len(path), MaxPath)], why)
}

// file brings out one regular file. What it lacks of its size is zero.
func (x *extraction) file(path string, size int64, r io.Reader) error {
	if err := x.take(size); err != nil {
		return err
	}
	if err := x.out.record(isFile, path, size); err != nil {
		return err
	}
	n, err := io.CopyN(x.out.w, r, size)
	if n < size {
		// The record has promised so many bytes; that they are not there is said behind them.
		if _, werr := io.CopyN(x.out.w, zeros{}, size-n); werr != nil {
			return werr
		}
		return x.out.text(isLeft, path, fmt.Sprintf("only %d of its %d bytes could be read: %v", n, size, err))
	}
	return nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// tar brings out what is in an archive.
func (x *extraction) tar(r io.Reader) error {
	in := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := in.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil && n == 0:
			return fmt.Errorf("there is no tar archive at the beginning of the disk: %w", err)
		case err != nil:
			return x.out.text(isMore, "", fmt.Sprintf("the rest of the archive, which is damaged: %v", err))
		}
		if err := x.member(h, in); err != nil {
			return err
		}
	}
}

func (x *extraction) member(h *tar.Header, in io.Reader) error {
	name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
	if name == "" || name == "." {
		return nil // the directory that was packed
	}
	if err := checkPath(name); err != nil {
		return x.leave(h.Name, err.Error())
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return x.file(name, h.Size, in)
	case tar.TypeDir:
		if err := x.take(0); err != nil {
			return err
		}
		return x.out.record(isDir, name, 0)
	case tar.TypeLink, tar.TypeSymlink:
		return x.leave(name, "it is a link")
	case tar.TypeChar, tar.TypeBlock:
		return x.leave(name, "it is a device")
	case tar.TypeFifo:
		return x.leave(name, "it is a FIFO")
	}
	return x.leave(name, "it is neither a file nor a directory")
}

// files brings out what is in a file system.
func (x *extraction) files(disk *os.File, size int64, format cell.ResultsFormat) error {
	from, err := mount(disk, size, format)
	if err != nil {
		return err
	}
	x.disk = io.NewSectionReader(disk, 0, size)
	return x.dir(from, ".", 1)
}

// mount reads the front of a file system. Which FAT it is follows from how many clusters it has, so each
// is tried.
func mount(disk *os.File, size int64, format cell.ResultsFormat) (filesystem.FileSystem, error) {
	image := file.New(disk, true)
	if format == cell.ResultsExt4 {
		from, err := ext4.Read(image, size, 0, 512)
		if err != nil {
			return nil, fmt.Errorf("there is no ext4 on the disk: %w", err)
		}
		return from, nil
	}
	var errs []error
	if from, err := fat32.Read(image, size, 0, 512); err == nil {
		return from, nil
	} else {
		errs = append(errs, err)
	}
	if from, err := fat16.Read(image, size, 0, 512); err == nil {
		return from, nil
	}
	if from, err := fat12.Read(image, size, 0, 512); err == nil {
		return from, nil
	}
	return nil, fmt.Errorf("there is no FAT on the disk: %w", errs[0])
}

// dir brings out a directory. How deep it goes is bounded, so a directory that is in itself ends as well.
func (x *extraction) dir(from filesystem.FileSystem, at string, depth int) error {
	entries, err := from.ReadDir(at)
	if err != nil {
		return x.leave(at, fmt.Sprintf("it cannot be read: %v", err))
	}
	for _, e := range entries {
		name := path.Join(at, e.Name())
		if e.Name() == "." || e.Name() == ".." {
			continue
		}
		if strings.Contains(e.Name(), "/") || checkPath(name) != nil {
			why := "its name has a slash"
			if err := checkPath(name); err != nil {
				why = err.Error()
			}
			if err := x.leave(name, why); err != nil {
				return err
			}
			continue
		}
		if err := x.entry(from, name, e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (x *extraction) entry(from filesystem.FileSystem, name string, e fs.DirEntry, depth int) error {
	info, err := e.Info()
	switch {
	case err != nil:
		return x.leave(name, fmt.Sprintf("it cannot be read: %v", err))
	case info.IsDir():
		if err := x.take(0); err != nil {
			return err
		}
		if err := x.out.record(isDir, name, 0); err != nil || depth >= MaxDepth {
			return err
		}
		return x.dir(from, name, depth+1)
	case info.Mode()&fs.ModeSymlink != 0:
		return x.leave(name, "it is a link")
	case info.Mode()&fs.ModeDevice != 0:
		return x.leave(name, "it is a device")
	case !info.Mode().IsRegular():
		return x.leave(name, "it is neither a file nor a directory")
	case info.Size() < 0:
		return x.leave(name, "its size is not valid")
	}
	if s, is := info.Sys().(*ext4.StatT); is {
		in, err := ext4file.Open(x.disk, s.Ino, info.Size())
		if err != nil {
			return x.leave(name, fmt.Sprintf("it cannot be read: %v", err))
		}
		return x.file(name, info.Size(), in)
	}
	in, err := from.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return x.leave(name, fmt.Sprintf("it cannot be read: %v", err))
	}
	defer in.Close()
	return x.file(name, info.Size(), in)
}
