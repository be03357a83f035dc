// Package evidence packs what is known of one run of a cell into an archive that can be verified: a tar
// file with a manifest of SHA-256 sums, the chained events, and a page that shows the run. The archive is
// canonical, byte for byte what [Write] makes of its content, so a change anywhere in it is found, in what
// lies between the files as well.
package evidence

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Version is that of the manifest's form.
const Version = 1

// Names of files in an archive that are not what was collected.
const (
	ManifestName  = "manifest.json"
	SignatureName = "manifest.json.sig"
	SumsName      = "SHA256SUMS"
	JournalName   = "journal.jsonl"
	PageName      = "index.html"
)

// Manifest is what an archive holds.
type Manifest struct {
	Version int       `json:"version"`
	Cell    string    `json:"cell"`
	Run     string    `json:"run"`
	Made    time.Time `json:"made"`
	By      string    `json:"by"` // which skep
	// Running: the cell still ran when the archive was made.
	Running bool    `json:"running,omitempty"`
	Files   []Entry `json:"files"`
	// Missing is what could be in it and is not, and why.
	Missing []Missing `json:"missing,omitempty"`
	Journal Chain     `json:"journal"`
}

// Entry is one file.
type Entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Missing is something that is not in an archive.
type Missing struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Chain is the journal: what its first line holds of the line before, and the sum of its last.
type Chain struct {
	Before string `json:"before"`
	Last   string `json:"last"`
	Lines  int    `json:"lines"`
}

// Item is a file that goes into an archive. It is opened twice, and has to have the same bytes both times.
type Item struct {
	Name string
	Size int64
	Open func() (io.ReadCloser, error)
}

// ErrLimit is an archive that would be larger than it may be.
var ErrLimit = errors.New("the archive would be larger than its limit")

// Sum reads all items and is the entries of the manifest.
func Sum(items []Item, limit int64) (entries []Entry, err error) {
	total := int64(0)
	for _, it := range items {
		if !fs.ValidPath(it.Name) || it.Name == "." {
			return nil, fmt.Errorf("%q is no name for a file", it.Name)
		}
		if total += it.Size; total > limit {
			return nil, fmt.Errorf("%w of %d bytes: %s has %d", ErrLimit, limit, it.Name, it.Size)
		}
		sum, err := it.copy(io.Discard)
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{it.Name, it.Size, sum})
	}
	return entries, nil
}

// copy writes the item, and is its sum.
func (it Item) copy(w io.Writer) (string, error) {
	r, err := it.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(r, it.Size))
	if err == nil && n < it.Size {
		err = fmt.Errorf("%s has become shorter while it was read", it.Name)
	}
	return hex.EncodeToString(sum.Sum(nil)), err
}

// Write writes an archive. sign makes a signature of the manifest, and is nil for none.
func Write(w io.Writer, m Manifest, items []Item, sign func([]byte) ([]byte, error)) error {
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	manifest = append(manifest, '\n')
	t := tar.NewWriter(w)
	put := func(name string, b []byte) error {
		if err := t.WriteHeader(header(name, int64(len(b)))); err != nil {
			return err
		}
		_, err := t.Write(b)
		return err
	}
	if err := put(ManifestName, manifest); err != nil {
		return err
	}
	if sign != nil {
		sig, err := sign(manifest)
		if err != nil {
			return err
		}
		if err := put(SignatureName, sig); err != nil {
			return err
		}
	}
	for i, it := range items {
		if err := t.WriteHeader(header(it.Name, it.Size)); err != nil {
			return err
		}
		sum, err := it.copy(t)
		if err != nil {
			return err
		}
		if sum != m.Files[i].SHA256 {
			return fmt.Errorf("%s has changed while it was read", it.Name)
		}
	}
	if err := put(SumsName, sums(manifest, m)); err != nil {
		return err
	}
	return t.Close()
}

// header is the only form that an entry of an archive has. Everything about a file but its name and size
// is the manifest's to say.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
}

// sums is what sha256sum -c reads.
func sums(manifest []byte, m Manifest) []byte {
	sum := sha256.Sum256(manifest)
	b := fmt.Appendf(nil, "%x  %s\n", sum, ManifestName)
	for _, e := range m.Files {
		b = fmt.Appendf(b, "%s  %s\n", e.SHA256, e.Name)
	}
	return b
}

// Bytes is an item of bytes in memory.
func Bytes(name string, b []byte) Item {
	return Item{name, int64(len(b)), func() (io.ReadCloser, error) { return io.NopCloser(newReader(b)), nil }}
}
