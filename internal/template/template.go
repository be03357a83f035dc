// Package template is what is kept of guests that stand still at one moment, for others to begin from.
//
//	STATE/templates/NAME/template.json   what it is, what it belongs to, and digests; written last, removed first
//	STATE/templates/NAME/ram             the guest's memory, with holes
//	STATE/templates/NAME/state           the state of its devices, as QEMU wrote it
//	STATE/templates/NAME/disk-LABEL.*    what it had written to its disks, and base-LABEL.* what that lies on
//
// Files belong to whoever made the template and can be read by nobody else. A clone's hypervisor never
// opens one: it is handed a descriptor of the memory that is open for reading, and the bytes of the state
// through a pipe. So what it changes of its memory is its own, and nothing that it does reaches the file.
package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layout"
)

// Version is the version of a template's description.
const Version = 1

// Template is what is known of one.
type Template struct {
	Version int       `json:"version"`
	Name    string    `json:"name"`
	Made    time.Time `json:"made"`
	// Skep is the version of skep that made it: another one may build another board.
	Skep string `json:"skep"`
	// Of is the cell that it was made of, and Cell what clones are.
	Of   string     `json:"of"`
	Cell *cell.Cell `json:"cell"`
	// Board is a digest of the board that the guest knows, QEMU the program that had it.
	Board string  `json:"board"`
	QEMU  Program `json:"qemu"`
	// CPU is the host's processor, where the guest runs on it.
	CPU string `json:"cpu,omitempty"`
	// When is the text that it was waited for.
	When  string `json:"when,omitempty"`
	RAM   File   `json:"ram"`
	State File   `json:"state"`
	Disks []Disk `json:"disks,omitempty"`
}

// Program is a program of the host's.
type Program struct {
	Version string `json:"version"`
	File
}

// Disk is what is frozen of one.
type Disk struct {
	Label  string `json:"label"`
	Frozen File   `json:"frozen"`
	Base   File   `json:"base"`
	Image  string `json:"image,omitempty"` // the base's name in the store, and then its digest
	Digest string `json:"digest,omitempty"`
}

// File is a file as it was when the template was made. All but Sum is looked at before each clone: who writes
// to a file changes its times, and nobody but the kernel can set the second. Sum is for Verify.
type File struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Inode    uint64    `json:"inode"`
	Modified time.Time `json:"modified"`
	Changed  time.Time `json:"changed"`
	Sum      string    `json:"sum,omitempty"` // SHA-256 of its bytes
}

// Store has the templates of a state directory.
type Store struct{ dirs layout.Dirs }

// View is the store for reading.
func View(dirs layout.Dirs) *Store { return &Store{dirs} }

// Dir is the directory of a template.
func (s *Store) Dir(name string) string { return s.dirs.Template(name) }

func (s *Store) about(name string) string { return filepath.Join(s.Dir(name), layout.TemplateAbout) }

// ValidName is cell.ValidTemplate as a fault.
func ValidName(name string) error {
	if err := cell.ValidTemplate(name); err != nil {
		return fault.Fail(fault.Input, "a letter, then letters, digits, - and _, 24 characters at most", "%v", err)
	}
	return nil
}

// Get is a template by its name.
func (s *Store) Get(name string) (*Template, error) {
	if err := ValidName(name); err != nil {
		return nil, err
	}
	t, err := Read(s.Dir(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.Input, "skep template ls lists those there are", "find the template %s", name)
	case err == nil && t.Name != name:
		err = fmt.Errorf("it describes %q", t.Name)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Input, err, "skep template rm "+name+" removes it", "read the template %s", name)
	}
	return t, nil
}

// maxAbout bounds a description.
const maxAbout = 4 << 20

// Read reads the description in a directory.
func Read(dir string) (*Template, error) {
	path := filepath.Join(dir, layout.TemplateAbout)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxAbout {
		return nil, errors.New("its description is not one")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &Template{}
	if err := json.Unmarshal(text, t); err != nil {
		return nil, err
	}
	if t.Version != Version || t.Cell == nil {
		return nil, fmt.Errorf("its description has version %d, not %d", t.Version, Version)
	}
	return t, nil
}

// List is every template, by name, and the names of those that are no whole ones: being made, or cut off.
func (s *Store) List() (all []*Template, half []string, err error) {
	entries, err := os.ReadDir(s.dirs.Templates())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fault.Wrap(fault.Host, err, "", "list the templates")
	}
	for _, e := range entries {
		if cell.ValidTemplate(e.Name()) != nil {
			continue
		}
		if t, err := s.Get(e.Name()); err == nil {
			all = append(all, t)
		} else {
			half = append(half, e.Name())
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all, half, nil
}

// Begin makes the directory of a template that is to be made. What an earlier attempt has left is removed.
func (s *Store) Begin(name string) (dir string, err error) {
	dir = s.Dir(name)
	if _, err := os.Lstat(s.about(name)); err == nil {
		return "", fault.New(fault.Input, "skep template rm "+name+" removes it, --as gives another name", "make the template %s: it is there already", name)
	}
	if err := s.clear(name); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fault.Wrap(fault.Host, err, "df shows how full it is", "make the template %s", name)
	}
	return dir, nil
}

// Finish writes the description: from here on it is there.
func (s *Store) Finish(t *Template) error {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	aside := filepath.Join(s.Dir(t.Name), layout.TemplateMade)
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.Write(append(text, '\n'))
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = os.Rename(aside, s.about(t.Name))
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "df shows how full it is", "keep the template %s", t.Name)
	}
	return nil
}

// Remove removes a template, the description first. Guests that have begun from it keep what they have.
func (s *Store) Remove(name string) error {
	if err := ValidName(name); err != nil {
		return err
	}
	if _, err := os.Lstat(s.Dir(name)); errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Input, "skep template ls lists those there are", "find the template %s", name)
	}
	return s.clear(name)
}

// clear removes the files of a template and nothing else that may lie there.
func (s *Store) clear(name string) error {
	dir := s.Dir(name)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	cannot := func(err error) error { return fault.Wrap(fault.Host, err, "", "remove the template %s", name) }
	if err != nil {
		return cannot(err)
	}
	if err := os.Remove(s.about(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cannot(err)
	}
	for _, e := range entries {
		if !ours(e.Name()) {
			return cannot(fmt.Errorf("%s is not skep's", filepath.Join(dir, e.Name())))
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return cannot(err)
		}
	}
	if err := os.Remove(dir); err != nil {
		return cannot(err)
	}
	return nil
}

// ours says whether a file of that name is a template's.
func ours(name string) bool {
	switch name {
	case layout.TemplateAbout, layout.TemplateRAM, layout.TemplateState, layout.TemplateMade:
		return true
	}
	for _, pattern := range []string{"disk-*", "base-*", ".base-*", ".disk-*"} {
		if is, _ := filepath.Match(pattern, name); is {
			return true
		}
	}
	return false
}
