package image

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"skep/internal/fault"
)

// Settled is an image with its digest. Whoever needs that first after the import of a large one reads all of
// the image; others wait.
func (s *Store) Settled(name string) (Image, error) { return s.settled(name, nil, nil) }

// SettledFrom is the same by who has the file yet that it was imported from.
func (s *Store) SettledFrom(name string, source *os.File) (Image, error) {
	return s.settled(name, source, nil)
}

func (s *Store) settled(name string, source *os.File, say func(string, float64)) (Image, error) {
	i, err := s.Get(name)
	if err != nil || i.Digest != "" {
		return i, err
	}
	f, err := os.Open(s.about(name)) // replaced as a whole by who is done
	if err == nil {
		defer f.Close()
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return i, fault.Wrap(fault.Host, err, "", "read the image %s", name)
	}
	if i, err = s.Get(name); err != nil || i.Digest != "" {
		return i, err
	}
	if err := s.Check(i); err != nil {
		return i, err
	}
	return s.settle(i, source, say)
}

// settle has all of an image be on the disk and finds out its digest, by which its bytes are kept once, and
// that of its source where that is there.
func (s *Store) settle(i Image, source *os.File, say func(string, float64)) (Image, error) {
	fail := func(err error) (Image, error) {
		return i, fault.Wrap(fault.Host, err, "", "keep the digest of the image %s", i.Name)
	}
	f, err := os.OpenFile(s.File(i.Name), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fail(err)
	}
	if source != nil && i.Source.Digest == "" {
		var size int64
		i.Source.Digest, size, err = digestOf(source, nil)
		if err == nil && size != i.Source.Size {
			err = errors.New("what it was imported from has changed")
		}
		if err != nil {
			return fail(err)
		}
	}
	digest, size, err := digestOf(f, func(done float64) {
		if say != nil {
			say("reading", done)
		}
	})
	if err != nil {
		return fail(err)
	}
	l, err := s.lock()
	if err != nil {
		return i, err
	}
	defer l.Close()
	now, err := s.Get(i.Name)
	if err != nil || !now.Imported.Equal(i.Imported) {
		return i, fault.New(fault.Input, "", "use the image %s: it was removed meanwhile", i.Name)
	}
	if now.Digest != "" {
		return now, nil // another was quicker
	}
	// What was imported is what has that digest, and not what somebody has made of it meanwhile.
	if err := s.Check(i); err != nil || size != i.Size {
		return i, errors.Join(err, checkSize(i, size))
	}
	i.Digest, i.Boot = digest, ""
	err = os.Link(s.File(i.Name), s.blob(digest))
	if errors.Is(err, fs.ErrExist) {
		err = s.once(&i)
	}
	if err != nil {
		return fail(err)
	}
	crashPoint("blob")
	if err := errors.Join(syncDir(s.at("blobs", "sha256")), s.describe(i, true)); err != nil {
		return fail(err)
	}
	return i, nil
}

func checkSize(i Image, size int64) error {
	if size == i.Size {
		return nil
	}
	return fault.New(fault.Input, "import it again", "use the image %s: it has %d bytes, and had %d", i.Name, size, i.Size)
}

// once has an image be the file that another name has already, unless a cell runs on it by now.
func (s *Store) once(i *Image) error {
	if s.unused(i.Name) != nil {
		return nil
	}
	blob := s.blob(i.Digest)
	if same(blob, s.File(i.Name)) {
		return nil // it was cut off before it was written down
	}
	link := s.at("tmp", "link."+i.Name)
	_ = os.Remove(link)
	if err := os.Link(blob, link); err != nil {
		return err
	}
	if err := os.Rename(link, s.File(i.Name)); err != nil {
		return err
	}
	info, err := os.Stat(s.File(i.Name))
	if err == nil {
		i.Modified = info.ModTime().UTC()
	}
	return err
}

func same(a, b string) bool {
	one, err := os.Stat(a)
	two, berr := os.Stat(b)
	return err == nil && berr == nil && os.SameFile(one, two)
}
