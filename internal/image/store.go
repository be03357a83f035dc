// Package image is the image store: what guests start from, kept by name, read-only, and known by the
// SHA-256 of what a guest sees.
//
// It lies in the state directory:
//
//	STATE/images/blobs/sha256/HEX   the bytes of an image, raw, its name their SHA-256
//	STATE/images/names/NAME.raw     the same file once more: what cells are handed
//	STATE/images/names/NAME.json    what it is, and where it came from; written last, removed first
//	STATE/images/tmp/               what is being imported
//	STATE/images/lock               held while a name comes or goes
//
// An image is there once its NAME.json is. Everything before that is done aside: an import that is killed
// leaves files that nobody lists and the next one removes. The digest of a large image is found out behind that,
// by a process of its own or by who asks for it first; until then it has no blob. Images are raw, with holes, so that one file
// serves QEMU and bhyve alike, and its digest is that of the file.
package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/process"
)

// Version is the version of an image's description.
const Version = 1

// Image is what is known of one.
type Image struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	// Digest is "sha256:" and hex: of what a guest sees, which is the file. Of a large image it is found out
	// after the import, see Settled.
	Digest   string    `json:"digest"`
	Size     int64     `json:"size"` // of the disk that a guest sees, in bytes
	Source   Source    `json:"source"`
	Imported time.Time `json:"imported"`
	// Modified is when the file was last written: a change behind the store's back shows by it.
	Modified time.Time `json:"modified"`
	// Boot is the boot of the host in which it was imported, until its digest is known: by then all of it is on
	// the disk, and before a host that loses its power may lose some of it.
	Boot string `json:"boot,omitempty"`
}

// Source is where an image came from.
type Source struct {
	Name   string `json:"name"`   // of the file, without its directory
	Format string `json:"format"` // as it was read: qcow2, raw, raw.xz, …
	Digest string `json:"digest"` // of the file as it was; of a large one found out with the image's
	Size   int64  `json:"size"`
}

// Store is the image store of a state directory.
type Store struct {
	dirs layout.Dirs
}

// View is the store for reading: nothing is made.
func View(dirs layout.Dirs) *Store { return &Store{dirs} }

// Open makes the directories that are missing.
func Open(dirs layout.Dirs) (*Store, error) {
	s := View(dirs)
	for _, d := range []string{s.at("blobs", "sha256"), s.at("names"), s.at("tmp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fault.Wrap(fault.Host, err, "", "make the directory %s", d)
		}
	}
	return s, nil
}

// Temp makes a file of a random name where what is imported is. Whoever keeps it locked keeps it from being cleared away.
func (s *Store) Temp(pattern string) (*os.File, error) { return os.CreateTemp(s.at("tmp"), pattern) }

func (s *Store) at(parts ...string) string {
	return filepath.Join(append([]string{s.dirs.ImageStore()}, parts...)...)
}

// File is the file of an image.
func (s *Store) File(name string) string { return s.dirs.Image(name) }

func (s *Store) about(name string) string { return strings.TrimSuffix(s.File(name), ".raw") + ".json" }
func (s *Store) blob(digest string) string {
	return s.at("blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

// ValidName is cell.ValidImage as a fault.
func ValidName(name string) error {
	if err := cell.ValidImage(name); err != nil {
		return fault.Fail(fault.Input, "letters, digits, dots, - and _, 64 at most", "%v", err)
	}
	return nil
}

// Get is an image by its name.
func (s *Store) Get(name string) (Image, error) {
	var i Image
	if err := ValidName(name); err != nil {
		return i, err
	}
	text, err := os.ReadFile(s.about(name))
	if errors.Is(err, fs.ErrNotExist) {
		return i, fault.New(fault.Input, "skep image ls lists those there are", "find the image %s", name)
	}
	if err == nil {
		err = json.Unmarshal(text, &i)
	}
	if err == nil && (i.Version != Version || i.Name != name || i.Digest != "" && !strings.HasPrefix(i.Digest, "sha256:")) {
		err = fmt.Errorf("%s does not describe it", s.about(name))
	}
	if err != nil {
		return i, fault.Wrap(fault.Host, err, "import it again", "read what the image %s is", name)
	}
	return i, nil
}

// List is every image, by name. One whose description cannot be read is an error beside the others.
func (s *Store) List() (all []Image, err error) {
	entries, err := os.ReadDir(s.at("names"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var wrong []error
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), ".json")
		if !is || cell.ValidImage(name) != nil {
			continue
		}
		i, err := s.Get(name)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		all = append(all, i)
	}
	sort.Slice(all, func(a, b int) bool { return all[a].Name < all[b].Name })
	return all, errors.Join(append(wrong, err)...)
}

// Check says whether the file of an image is still as it was imported, as far as that shows without
// reading it.
func (s *Store) Check(i Image) error {
	info, err := os.Lstat(s.File(i.Name))
	switch {
	case i.Digest == "" && i.Boot != process.BootID():
		return fault.New(fault.Input, "skep image rm "+i.Name+", then import it again",
			"use the image %s: the host went down before all of it was written", i.Name)
	case err != nil:
		return fault.Wrap(fault.Input, err, "import it again", "use the image %s", i.Name)
	case !info.Mode().IsRegular(), info.Size() != i.Size, !info.ModTime().Equal(i.Modified):
		return fault.New(fault.Input, "skep image verify "+i.Name+" compares all of it", "use the image %s: its file was changed after the import", i.Name)
	}
	return nil
}

// Verify reads all of an image and compares its digest. A file that was touched and is the same is
// taken for good again.
func (s *Store) Verify(name string) (Image, error) {
	i, err := s.Settled(name)
	if err != nil {
		return i, err
	}
	f, err := os.OpenFile(s.File(name), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return i, fault.Wrap(fault.Input, err, "import it again", "verify the image %s", name)
	}
	defer f.Close()
	digest, size, err := digestOf(f, nil)
	if err != nil {
		return i, fault.Wrap(fault.Host, err, "", "verify the image %s", name)
	}
	if digest != i.Digest || size != i.Size {
		return i, fault.New(fault.Input, "skep image rm "+name+", then import it again", "verify the image %s: it is %s now, and was %s", name, digest, i.Digest)
	}
	info, err := f.Stat()
	if err != nil || info.ModTime().Equal(i.Modified) {
		return i, err
	}
	i.Modified = info.ModTime().UTC()
	return i, s.describe(i, true)
}

// lock is held while names come and go.
func (s *Store) lock() (*os.File, error) {
	f, err := os.OpenFile(s.at("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "lock the image store")
	}
	return f, nil
}

// describe writes what an image is, as a whole or not at all.
func (s *Store) describe(i Image, over bool) error {
	text, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(s.at("tmp"), "about.*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err = tmp.Write(append(text, '\n')); err == nil {
		err = errors.Join(tmp.Chmod(0o444), tmp.Sync())
	}
	if err != nil {
		return err
	}
	if over {
		err = os.Rename(tmp.Name(), s.about(i.Name))
	} else {
		err = os.Link(tmp.Name(), s.about(i.Name))
	}
	return errors.Join(err, syncDir(s.at("names")))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	_ = d.Sync() // not every file system can
	return nil
}
