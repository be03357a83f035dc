package diskdiff

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/ext4"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/diskfs/go-diskfs/partition"
)

// Bounds of the files of a disk.
const (
	maxFiles   = 200_000
	maxChanges = 20_000
	maxDepth   = 64
	maxParts   = 16
)

// Change is a file that is not as in the base.
type Change struct {
	What string `json:"what"` // "new", "changed" or "gone"
	Path string `json:"path"`
	Part int    `json:"partition,omitempty"` // from 1; 0 where the disk has none
	Size int64  `json:"size"`
	Dir  bool   `json:"directory,omitempty"`
	Time string `json:"time"`
	// SHA256 is that of a plain file, and Before that of what it was in the base.
	SHA256 string `json:"sha256,omitempty"`
	Before string `json:"sha256_before,omitempty"`
}

// Report is how a disk differs.
type Report struct {
	Size    int64    `json:"size"`
	Written int64    `json:"written"` // bytes in extents
	Extents []Extent `json:"extents"`
	Files   []Change `json:"files"`
	// Unread is why the files are not told, or not all of them, or not all sums.
	Unread string `json:"unread,omitempty"`
}

// Diff compares a layer with its base, and writes a Report as JSON.
func Diff(w io.Writer, upper, base *os.File) error {
	info, err := base.Stat()
	if err != nil {
		return err
	}
	below, err := openBase(base, info.Size())
	if err != nil {
		return err
	}
	l, err := openLayer(upper, below)
	if err != nil {
		return err
	}
	r := Report{Size: l.size, Files: []Change{}}
	if r.Extents, err = l.extents(); err != nil {
		return err
	}
	for _, e := range r.Extents {
		r.Written += e.Size
	}
	unsummed := sumExtents(l, r.Extents)
	r.Files, err = compare(below, disk{l, l.size})
	r.Unread = both(err, unsummed)
	return json.NewEncoder(w).Encode(r)
}

// openBase reads a base, which is raw or a qcow2 image that lies on nothing.
func openBase(base *os.File, size int64) (disk, error) {
	var front [16]byte
	if _, err := base.ReadAt(front[:], 0); err != nil || binary.BigEndian.Uint32(front[:]) != magic {
		return disk{base, size}, nil
	}
	if binary.BigEndian.Uint64(front[8:]) != 0 {
		return disk{}, errors.New("its base lies on another image")
	}
	l, err := openLayer(base, nothing{})
	if err != nil {
		return disk{}, err
	}
	return disk{l, l.size}, nil
}

// nothing is what lies below an image that lies on nothing.
type nothing struct{}

func (nothing) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

// disk is what can be read as one, for go-diskfs.
type disk struct {
	io.ReaderAt
	size int64
}

// storage is a disk as a backend of go-diskfs.
type storage struct {
	disk
	*io.SectionReader
}

func (d disk) storage() *storage { return &storage{d, io.NewSectionReader(d.ReaderAt, 0, d.size)} }

func (s *storage) ReadAt(p []byte, at int64) (int, error) { return s.disk.ReaderAt.ReadAt(p, at) }
func (s *storage) Stat() (fs.FileInfo, error)             { return info{s.size}, nil }
func (s *storage) Close() error                           { return nil }
func (s *storage) Path() string                           { return "" }
func (s *storage) Sys() (*os.File, error)                 { return nil, backend.ErrNotSuitable }
func (s *storage) Writable() (backend.WritableFile, error) {
	return nil, backend.ErrIncorrectOpenMode
}

type info struct{ size int64 }

func (i info) Name() string     { return "disk" }
func (i info) Size() int64      { return i.size }
func (info) Mode() fs.FileMode  { return 0o400 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }

// compare lists the files of both and says what differs. Only what can be read in both counts.
func compare(before, after disk) (all []Change, err error) {
	all = []Change{}
	var said []string
	found, sums := 0, hashing{left: maxHashing}
	for _, p := range places(after) {
		was, werr := mount(before, p)
		is, ierr := mount(after, p)
		if werr != nil && ierr != nil {
			continue
		}
		found++
		if werr != nil || ierr != nil {
			said = append(said, fmt.Sprintf("partition %d can be read in one of both only", p.number))
			continue
		}
		old, new := listing{files: map[string]entry{}}, listing{files: map[string]entry{}}
		old.dir(was, ".", 0)
		new.dir(is, ".", 0)
		if old.full || new.full {
			said = append(said, fmt.Sprintf("more than %d files", maxFiles))
		}
		if old.unread+new.unread > 0 {
			said = append(said, fmt.Sprintf("%d directories cannot be read", old.unread+new.unread))
		}
		some := differences(p.number, old.files, new.files)
		sums.sumFiles(some[:min(len(some), maxChanges)], side{was, p.on(before), old.files}, side{is, p.on(after), new.files})
		all = append(all, some...)
	}
	if found == 0 {
		return all, errors.New("no file system that is read here: ext4, FAT")
	}
	if len(all) > maxChanges {
		said, all = append(said, fmt.Sprintf("%d changes, of which %d are told", len(all), maxChanges)), all[:maxChanges]
	}
	if err := sums.said("files"); err != nil {
		said = append(said, err.Error())
	}
	if len(said) > 0 {
		err = errors.New(strings.Join(said, "; "))
	}
	return all, err
}

// place is where a file system may begin.
type place struct {
	number     int
	from, size int64
}

func places(d disk) (all []place) {
	all = append(all, place{0, 0, d.size})
	table, err := partition.Read(d.storage(), 512, 512)
	if err != nil {
		return all
	}
	for _, p := range table.GetPartitions() {
		if from, size := p.GetStart(), p.GetSize(); size > 0 && from > 0 && from <= d.size-size && len(all) <= maxParts {
			all = append(all, place{len(all), from, size})
		}
	}
	return all
}

// on is a place of a disk.
func (p place) on(d disk) disk { return disk{io.NewSectionReader(d.ReaderAt, p.from, p.size), p.size} }

func mount(d disk, p place) (filesystem.FileSystem, error) {
	part := p.on(d)
	from, err := ext4.Read(part.storage(), p.size, 0, 512)
	if err == nil {
		return from, nil
	}
	fat, ferr := fat32.Read(part.storage(), p.size, 0, 512)
	if ferr != nil {
		return nil, errors.Join(err, ferr)
	}
	return fat, nil
}

type entry struct {
	size int64
	mode fs.FileMode
	time time.Time
	ext4 uint32 // its number there; 0 for another file system
}

// listing is all files of a file system. A directory that cannot be read is counted and left.
type listing struct {
	files  map[string]entry
	unread int
	full   bool
}

func (l *listing) dir(from filesystem.FileSystem, at string, depth int) {
	if depth > maxDepth {
		l.unread++
		return
	}
	entries, err := from.ReadDir(at)
	if err != nil {
		l.unread++
		return
	}
	for _, e := range entries {
		if e.Name() == "." || e.Name() == ".." {
			continue
		}
		if len(l.files) >= maxFiles {
			l.full = true
			return
		}
		name := path.Join(at, strings.ReplaceAll(e.Name(), "/", "?"))
		if info, err := e.Info(); err == nil {
			e := entry{size: info.Size(), mode: info.Mode(), time: info.ModTime()}
			if s, is := info.Sys().(*ext4.StatT); is {
				e.ext4 = s.Ino
			}
			l.files["/"+name] = e
		}
		if e.IsDir() && name != at && name != "lost+found" {
			l.dir(from, name, depth+1)
		}
	}
}

func differences(part int, old, new map[string]entry) (all []Change) {
	add := func(what, name string, e entry) {
		all = append(all, Change{What: what, Path: name, Part: part, Size: e.size, Dir: e.mode.IsDir(), Time: e.time.UTC().Format(time.RFC3339)})
	}
	for name, e := range new {
		was, ok := old[name]
		switch {
		case !ok:
			add("new", name, e)
		case was.mode != e.mode || !e.mode.IsDir() && (was.size != e.size || !was.time.Equal(e.time)):
			add("changed", name, e)
		}
	}
	for name, e := range old {
		if _, ok := new[name]; !ok {
			add("gone", name, e)
		}
	}
	slices.SortFunc(all, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return all
}
