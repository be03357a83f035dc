package image

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/process"
)

// keep gives a file that is whole its name. Until its description is there, nobody lists it.
func (s *Store) keep(name string, from Source, tmp, source *os.File, say func(string, float64)) (Image, error) {
	fail := func(err error) (Image, error) {
		if fault.CodeOf(err) == fault.Input {
			return Image{}, err
		}
		return Image{}, fault.Wrap(fault.Host, err, "df "+s.at()+" shows how full it is", "keep the image %s", name)
	}
	if err := tmp.Chmod(0o444); err != nil {
		return fail(err)
	}
	i, err := s.name(name, from, tmp)
	if err != nil {
		return fail(err)
	}
	crashPoint("described")
	if i.Size > digestNow {
		return i, nil
	}
	return s.settled(name, source, say)
}

// digestNow is the size up to which an import waits for the digest, and for the disk. Of a larger image that takes
// longer than the import itself, since what a hole holds has to be hashed as well.
const digestNow = 64 << 20

// name gives a file that is whole its name, under the lock of the store.
func (s *Store) name(name string, from Source, tmp *os.File) (Image, error) {
	l, err := s.lock()
	if err != nil {
		return Image{}, err
	}
	defer l.Close()
	if _, err := s.Get(name); err == nil {
		return Image{}, fault.New(fault.Input, "choose another name", "keep the image %s: another import was quicker", name)
	}
	if err := os.Link(tmp.Name(), s.File(name)); err != nil {
		return Image{}, err
	}
	crashPoint("name")
	// It is an image from here on, and whoever has it locked uses it: an import that goes on does not.
	if err := errors.Join(os.Remove(tmp.Name()), syscall.Flock(int(tmp.Fd()), syscall.LOCK_UN)); err != nil {
		return Image{}, err
	}
	info, err := tmp.Stat()
	if err != nil {
		return Image{}, err
	}
	i := Image{Version: Version, Name: name, Size: info.Size(), Source: from,
		Imported: time.Now().UTC().Truncate(time.Second), Modified: info.ModTime().UTC(), Boot: process.BootID()}
	return i, s.describe(i, false)
}

// Remove removes an image that nobody uses. The description goes first.
func (s *Store) Remove(name string) error {
	if err := ValidName(name); err != nil {
		return err
	}
	l, err := s.lock()
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := os.Lstat(s.about(name)); err != nil {
		_, err := s.Get(name)
		return err
	}
	if err := s.unused(name); err != nil {
		return err
	}
	if err := os.Remove(s.about(name)); err != nil {
		return fault.Wrap(fault.Host, err, "", "remove the image %s", name)
	}
	s.clear()
	return nil
}

// unused refuses while a cell runs on an image, or a layer that is kept lies on it.
func (s *Store) unused(name string) error {
	if cells := s.Users(name); len(cells) > 0 {
		return fault.New(fault.Input, "skep disk rm removes a layer", "remove the image %s: a layer of %s lies on it", name, strings.Join(cells, ", "))
	}
	f, err := os.OpenFile(s.File(name), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "remove the image %s", name)
	}
	defer f.Close()
	var used *disk.InUse
	if err := disk.Lock(f, true); errors.As(err, &used) {
		return fault.Wrap(fault.Input, used, "stop the cells that run on it", "remove the image %s", name)
	}
	return nil
}

// Users are the cells that keep a layer on an image.
func (s *Store) Users(name string) (cells []string) {
	notes, _ := filepath.Glob(filepath.Join(s.dirs.StateDirs(), "*", "layer-*.json"))
	for _, path := range notes {
		if disk.LayerImage(path) == name {
			cells = append(cells, filepath.Base(filepath.Dir(path)))
		}
	}
	slices.Sort(cells)
	return slices.Compact(cells)
}

// Export writes an image to a new file, raw.
func (s *Store) Export(name, path string, fill func(dst, src *os.File) error) error {
	i, err := s.Get(name)
	if err == nil {
		err = s.Check(i)
	}
	if err != nil {
		return err
	}
	f, err := os.Open(s.File(name))
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "export the image %s", name)
	}
	defer f.Close()
	return disk.Copy(f, path, fill)
}
