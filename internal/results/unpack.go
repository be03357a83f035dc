package results

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// A Report says what came out.
type Report struct {
	Files, Dirs int
	Size        int64
	Left        []Left // what was left out, up to a number of them
	LeftOut     int
	More        string // there is more than the bounds allow, and of what
}

// Left is something that was left out.
type Left struct{ Path, Why string }

// mostLeft is how many are worth reading.
const mostLeft = 20

func (r *Report) leave(path, why string) {
	if r.LeftOut++; len(r.Left) < mostLeft {
		r.Left = append(r.Left, Left{path, why})
	}
}

// A Sink is where results go.
type Sink interface {
	// Dir makes a directory; one that is there is no error.
	Dir(path string) error
	// File makes a file of so many bytes. One that is there is fs.ErrExist.
	File(path string, size int64, r io.Reader) error
}

// Unpack reads a stream and has what is in it written. The stream is taken for hostile.
func Unpack(r io.Reader, to Sink, b Bounds) (Report, error) {
	var report Report
	for {
		rec, err := next(r)
		if err != nil {
			return report, err
		}
		switch rec.kind {
		case isEnd:
			return report, nil
		case isMore:
			if report.More, err = reason(r, rec); err != nil {
				return report, err
			}
			continue
		case isLeft:
			why, err := reason(r, rec)
			if err != nil {
				return report, err
			}
			report.leave(rec.path, why)
		case isFile, isDir:
			if err := report.put(r, to, rec); err != nil {
				return report, err
			}
		default:
			return report, errStream
		}
		if report.Files+report.Dirs+report.LeftOut > b.Files+1 || report.Size > b.Size {
			return report, errStream // the reader keeps to the bounds itself
		}
	}
}

// put writes one file or directory.
func (p *Report) put(r io.Reader, to Sink, rec record) error {
	if err := checkPath(rec.path); err != nil {
		return fmt.Errorf("%w: %w", errStream, err)
	}
	if rec.kind == isDir {
		p.Dirs++
		return p.clash(rec.path, to.Dir(rec.path))
	}
	body := &io.LimitedReader{R: r, N: rec.size}
	err := to.File(rec.path, rec.size, body)
	if err = p.clash(rec.path, err); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, body); err != nil || body.N > 0 {
		return fmt.Errorf("%w: it ends too soon", errStream)
	}
	p.Files++
	p.Size += rec.size
	return nil
}

// clash: two things of one name are the guest's doing, and the first stays.
func (p *Report) clash(path string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		p.leave(path, "there is another of that name")
		return nil
	}
	return err
}

// Dir is a directory of the host's as a Sink. Nothing outside of it is touched, whatever a path says: that
// is what os.Root sees to, beside the check of each path.
type Dir struct{ Root *os.Root }

// Dir implements Sink.
func (d Dir) Dir(p string) error { return d.Root.MkdirAll(p, 0o700) }

// File implements Sink: a new file that nobody can execute.
func (d Dir) File(p string, _ int64, r io.Reader) error {
	if parent := path.Dir(p); parent != "." {
		if err := d.Root.MkdirAll(parent, 0o700); err != nil {
			return err
		}
	}
	f, err := d.Root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// Archive is a tar archive as a Sink.
type Archive struct {
	W    *tar.Writer
	seen map[string]bool
}

// NewArchive writes an archive; Close ends it.
func NewArchive(w io.Writer) *Archive { return &Archive{tar.NewWriter(w), map[string]bool{}} }

// Close implements io.Closer.
func (a *Archive) Close() error { return a.W.Close() }

func (a *Archive) once(p string) error {
	if a.seen[p] {
		return fs.ErrExist
	}
	a.seen[p] = true
	return nil
}

// Dir implements Sink.
func (a *Archive) Dir(p string) error {
	if a.once(p) != nil {
		return nil
	}
	return a.W.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: p + "/", Mode: 0o700})
}

// File implements Sink.
func (a *Archive) File(p string, size int64, r io.Reader) error {
	if err := a.once(p); err != nil {
		return err
	}
	if err := a.W.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: p, Size: size, Mode: 0o600}); err != nil {
		return err
	}
	_, err := io.Copy(a.W, r)
	return err
}
