//go:build linux || freebsd

package provision

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hostfiles"
	"skep/internal/iso"
	"skep/internal/plan"
	"skep/internal/seed"
)

// writeMedium writes the image of a medium.
func writeMedium(c *cell.Cell, s *plan.Medium, w io.Writer) error {
	files, dirs, done, errs := contents(c, s, false)
	if len(errs) > 0 {
		return fault.Join(errs...)
	}
	defer done()
	err := iso.Write(w, s.Volume, files, dirs)
	var mistake *hostfiles.Mistake
	var name *iso.NameError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mistake):
		return mediumFault(c, s, mistake)
	case errors.As(err, &name):
		return plan.Located(c, pathsOf(s), fault.New(fault.Input, "rename it", "give the guest %s", name))
	}
	return fault.Wrap(fault.Host, cause(err), HintFull, "make the image %q", s.Label)
}

// contents are what a medium holds; done lets go of it.
func contents(c *cell.Cell, s *plan.Medium, look bool) (files []iso.File, dirs []string, done func(), errs []error) {
	if s.Seed {
		files, errs = seedFiles(c, s, look)
		return files, nil, func() {}, errs
	}
	found, mistakes := hostfiles.Find(s.Paths)
	for _, m := range mistakes {
		errs = append(errs, mediumFault(c, s, m))
	}
	if len(errs) > 0 {
		return nil, nil, nil, errs
	}
	return found.Files, found.Dirs, found.Close, nil
}

// pathsOf is the attribute of the cell file that says what is on a medium.
func pathsOf(s *plan.Medium) string {
	if s.Seed {
		return "seed"
	}
	return "files." + s.Label + ".paths"
}

func mediumFault(c *cell.Cell, s *plan.Medium, m *hostfiles.Mistake) error {
	hint := m.Hint
	if hint == "" {
		hint = checkPath
	}
	return plan.Located(c, pathsOf(s), fault.Cannot(fault.Input, hint, "give the guest", m.Path, "%s", m.Why))
}

// seedFiles reads the documents of the seed. No message has a word of them.
func seedFiles(c *cell.Cell, m *plan.Medium, look bool) ([]iso.File, []error) {
	if c.Seed == nil {
		return nil, []error{errors.New("the cell has no seed")}
	}
	s := seed.Seed{Name: c.Name, Hostname: c.Seed.Hostname, SSHKeys: c.Seed.SSHKeys}
	var errs []error
	for _, d := range []struct {
		name string
		text cell.Text
		to   *[]byte
	}{
		{"user_data", c.Seed.UserData, &s.UserData}, {"meta_data", c.Seed.MetaData, &s.MetaData}, {"network", c.Seed.Network, &s.Network},
	} {
		b, err := document(d.text)
		if err != nil {
			where := d.text.Path
			if where == "" {
				where = "seed." + d.name
			}
			errs = append(errs, plan.Located(c, "seed."+d.name, fault.Wrap(fault.Input, err, pathHint(err), "use %s", where)))
		}
		*d.to = b
	}
	if m.CA != "" && !look {
		ca, _, err := sinkholeCA(m.CA, c.Name)
		if err != nil {
			errs = append(errs, err)
		} else {
			s.Vendor = seed.Trust(ca)
		}
	}
	return s.Files(), errs
}

// document is the text of a document; nothing where there is none.
func document(t cell.Text) ([]byte, error) {
	switch {
	case !t.There():
		return nil, nil
	case t.Path == "":
		return []byte(t.Inline), seed.Check([]byte(t.Inline))
	}
	f, err := openPlain(t.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, seed.MaxDocument+1))
	if err != nil {
		return nil, cause(err)
	}
	return b, seed.Check(b)
}

// lookAtMedium finds what cannot be on it.
func lookAtMedium(c *cell.Cell, s *plan.Medium) []error {
	_, _, done, errs := contents(c, s, true)
	if done != nil {
		done()
	}
	return errs
}

// makeMedium writes the image to a file that is not there yet, and opens it for reading. What is left of an
// earlier attempt is of our own making, and goes.
func makeMedium(c *cell.Cell, s *plan.Medium) (*os.File, error) {
	if err := removeFile(s.Path); err != nil {
		return nil, err
	}
	w, err := os.OpenFile(s.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return nil, fault.Wrap(fault.Host, cause(err), HintFull, "make the image %q", s.Label)
	}
	err = writeMedium(c, s, w)
	if cerr := w.Close(); err == nil && cerr != nil {
		err = fault.Wrap(fault.Host, cause(cerr), HintFull, "make the image %q", s.Label)
	}
	if err != nil {
		return nil, errors.Join(err, removeFile(s.Path))
	}
	return os.Open(s.Path)
}

// releaseMedium removes an image of ours, and nothing else by such a name.
func releaseMedium(s *plan.Medium) error {
	if s.Path == "" {
		return nil
	}
	if !strings.HasSuffix(s.Path, plan.MediumSuffix) {
		return fmt.Errorf("%s is not the name of an image of skep's", filepath.Base(s.Path))
	}
	if info, err := os.Lstat(s.Path); err == nil && info.Mode()&fs.ModeType != 0 {
		return fmt.Errorf("%s is not a file of skep's", s.Path)
	}
	return removeFile(s.Path)
}
