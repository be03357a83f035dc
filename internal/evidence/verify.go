package evidence

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"skep/internal/events"
)

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

// Bounds of an archive that is verified: it may come from anywhere.
const (
	maxManifest  = 64 << 20
	maxSignature = 64 << 10
	maxEntries   = 200_000
	maxProblems  = 100
)

// Finding is what verifying an archive has found.
type Finding struct {
	Manifest Manifest `json:"manifest"`
	// Problems name what was changed, in the order of the archive. None: it is as it was made.
	Problems []string `json:"problems"`
	// Key is the key that the manifest is signed with, as in an authorized_keys file, "" where it is not
	// signed. Whose it is, ssh-keygen -Y verify says.
	Key string `json:"key,omitempty"`
}

// Verify reads an archive from its beginning to its end.
func Verify(f io.ReaderAt, size int64) (Finding, error) {
	v := &verifier{want: map[string]Entry{}, seen: map[string]bool{}, kept: map[string]string{}}
	same := &canonical{f: f}
	out := tar.NewWriter(same)
	in := tar.NewReader(io.NewSectionReader(f, 0, size))
	last := "the beginning"
	for n := 0; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n == maxEntries {
			v.problem("the archive is damaged after %s", last)
			return v.finding, nil
		}
		if h.Size > size || !fs.ValidPath(h.Name) {
			v.problem("the archive is damaged after %s", last)
			return v.finding, nil
		}
		if err := out.WriteHeader(header(h.Name, h.Size)); err != nil {
			v.problem("%.100q: %v", h.Name, err)
			return v.finding, nil
		}
		if same.differs {
			v.problem("what the archive says of %.200q was changed", h.Name)
			same.differs = false
		}
		if err := v.entry(h.Name, h.Size, io.TeeReader(in, out)); err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				return v.finding, err
			}
			v.problem("the archive ends within %.200q", h.Name)
			return v.finding, nil
		}
		same.differs = false // of its content its sum speaks
		last = fmt.Sprintf("%.200q", h.Name)
	}
	if err := out.Close(); err != nil {
		return v.finding, err
	}
	if same.differs || same.at != size {
		v.problem("what follows the last file was changed")
	}
	v.end()
	return v.finding, nil
}

// canonical is written what an archive of the same content would have, and compares.
type canonical struct {
	f       io.ReaderAt
	at      int64
	buf     []byte
	differs bool
}

func (c *canonical) Write(p []byte) (int, error) {
	if cap(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	b := c.buf[:len(p)]
	n, err := c.f.ReadAt(b, c.at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	c.differs = c.differs || n < len(p) || !bytes.Equal(b[:n], p)
	c.at += int64(len(p))
	return len(p), nil
}

type verifier struct {
	finding  Finding
	manifest []byte
	sig      []byte
	sums     []byte
	want     map[string]Entry
	seen     map[string]bool
	kept     map[string]string // the sums that the journal has of files
	order    int
	parsed   bool
}

func (v *verifier) problem(format string, args ...any) {
	if len(v.finding.Problems) < maxProblems {
		v.finding.Problems = append(v.finding.Problems, fmt.Sprintf(format, args...))
	}
}

func (v *verifier) entry(name string, size int64, r io.Reader) error {
	if v.seen[name] {
		v.problem("%.200q is there twice", name)
	}
	v.seen[name] = true
	switch name {
	case ManifestName, SignatureName, SumsName:
		most := int64(maxManifest)
		if name == SignatureName {
			most = maxSignature
		}
		if size > most {
			return fmt.Errorf("%s has %d bytes", name, size)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return v.own(name, b)
	}
	sum := sha256.New()
	r = io.TeeReader(r, sum)
	if name == JournalName {
		v.chain(r)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	e, ok := v.want[name]
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case !ok:
		v.problem("%.200q is not in the manifest", name)
	case e.SHA256 != got || e.Size != size:
		v.problem("%.200q was changed: its SHA-256 is not the manifest's", name)
	}
	if ok && (v.order >= len(v.finding.Manifest.Files) || v.finding.Manifest.Files[v.order].Name != name) {
		v.problem("%.200q is not where it was", name)
	}
	v.order++
	return nil
}

// own takes what is skep's own in an archive.
func (v *verifier) own(name string, b []byte) error {
	switch name {
	case SignatureName:
		v.sig = b
	case SumsName:
		v.sums = b
	case ManifestName:
		v.manifest = b
		if err := json.Unmarshal(b, &v.finding.Manifest); err != nil || v.finding.Manifest.Version != Version {
			v.problem("%s was changed: it is no manifest of this version", ManifestName)
			return nil
		}
		v.parsed = true
		for _, e := range v.finding.Manifest.Files {
			v.want[e.Name] = e
		}
	}
	return nil
}

// chain follows the journal, and remembers what it says of files.
func (v *verifier) chain(r io.Reader) {
	var line int
	pr, pw := io.Pipe()
	type end struct {
		last  string
		lines int
		err   error
	}
	done := make(chan end, 1)
	before := v.finding.Manifest.Journal.Before
	go func() {
		last, lines, err := events.Verify(pr, before)
		pr.CloseWithError(errors.New("verified"))
		done <- end{last, lines, err}
	}()
	err := events.Lines(io.TeeReader(r, quiet{pw}), func(b []byte) error {
		line++
		var e events.Event
		if json.Unmarshal(b, &e) == nil && e.Kind != events.Network && e.SHA256 != "" && e.Kind != events.Begin {
			v.kept[e.File] = e.SHA256
		}
		return nil
	})
	pw.Close()
	d := <-done
	want := v.finding.Manifest.Journal
	var broken *events.BrokenError
	switch {
	case errors.As(d.err, &broken):
		v.problem("%s was changed: %v", JournalName, broken)
	case err != nil || d.err != nil:
		v.problem("%s was changed: a line of it is too long", JournalName)
	case v.parsed && (d.last != want.Last || d.lines != want.Lines):
		v.problem("%s was changed: its end is not the manifest's", JournalName)
	}
}

// quiet drops what its reader does not want any more.
type quiet struct{ w io.Writer }

func (q quiet) Write(p []byte) (int, error) { _, _ = q.w.Write(p); return len(p), nil }

// end is what can be said once all is read.
func (v *verifier) end() {
	m := v.finding.Manifest
	if v.manifest == nil {
		v.problem("there is no %s", ManifestName)
		return
	}
	for _, e := range m.Files {
		if !v.seen[e.Name] {
			v.problem("%.200q is missing", e.Name)
		}
		if sum, ok := v.kept[e.Name]; ok && sum != e.SHA256 {
			v.problem("%.200q is not the file that the journal speaks of", e.Name)
		}
	}
	switch {
	case v.sums == nil:
		v.problem("there is no %s", SumsName)
	case v.parsed && !bytes.Equal(v.sums, sums(v.manifest, m)):
		// Either of them: a sum says of two files that differ, not which of them was changed.
		v.problem("%s or %s was changed", ManifestName, SumsName)
	}
	if v.sig != nil {
		key, err := checkSignature(v.sig, v.manifest)
		if err != nil {
			v.problem("%s: %v", SignatureName, err)
		}
		v.finding.Key = key
	}
}

// VerifyFile verifies an archive by its path.
func VerifyFile(path string) (Finding, error) {
	f, err := os.Open(path)
	if err != nil {
		return Finding{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Finding{}, err
	}
	if !info.Mode().IsRegular() {
		return Finding{}, fmt.Errorf("%s is no plain file", path)
	}
	return Verify(f, info.Size())
}
