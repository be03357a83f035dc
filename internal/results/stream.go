package results

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// header is what is in front of each record: its kind, the length of its path, its size.
const header = 1 + 2 + 8

// writer writes the stream, in the jail.
type writer struct{ w io.Writer }

func (w writer) record(k kind, path string, size int64) error {
	b := make([]byte, header, header+len(path))
	b[0] = byte(k)
	binary.BigEndian.PutUint16(b[1:], uint16(len(path)))
	binary.BigEndian.PutUint64(b[3:], uint64(size))
	_, err := w.w.Write(append(b, path...))
	return err
}

// text is a record with a sentence in the place of a file.
func (w writer) text(k kind, path, text string) error {
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	if err := w.record(k, path, int64(len(text))); err != nil {
		return err
	}
	_, err := io.WriteString(w.w, text)
	return err
}

// record is one of the stream, as it is read.
type record struct {
	kind kind
	path string
	size int64
}

// errStream is a stream that no reader of ours has written.
var errStream = errors.New("what the reader says of the disk is not understood")

// Torn says whether a stream ended, or was cut off, before its end.
func Torn(err error) bool { return errors.Is(err, errStream) }

// next reads the front of the next record.
func next(r io.Reader) (rec record, err error) {
	var b [header]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return rec, fmt.Errorf("%w: it ends too soon", errStream)
	}
	rec.kind = kind(b[0])
	length, size := binary.BigEndian.Uint16(b[1:]), binary.BigEndian.Uint64(b[3:])
	if length > MaxPath || size > 1<<50 {
		return rec, errStream
	}
	path := make([]byte, length)
	if _, err := io.ReadFull(r, path); err != nil {
		return rec, fmt.Errorf("%w: it ends too soon", errStream)
	}
	rec.path, rec.size = string(path), int64(size)
	return rec, nil
}

// reason reads the sentence of a record that has one.
func reason(r io.Reader, rec record) (string, error) {
	if rec.size > maxReason {
		return "", errStream
	}
	b := make([]byte, rec.size)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", fmt.Errorf("%w: it ends too soon", errStream)
	}
	return string(b), nil
}
