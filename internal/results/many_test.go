package results

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// counted takes files and keeps how many there were.
type counted struct{ files int }

func (c *counted) Dir(string) error { return nil }

func (c *counted) File(string, int64, io.Reader) error { c.files++; return nil }

// A million files come out of an archive, and not one more: nothing is kept of those that went by.
func TestMillionFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const more = 10
	fromGuest, guest := io.Pipe()
	go func() {
		buffer := bufio.NewWriterSize(guest, 1<<20)
		w := tar.NewWriter(buffer)
		for i := range MaxFiles + more {
			if w.WriteHeader(&tar.Header{Name: fmt.Sprint("f", i), Typeflag: tar.TypeReg}) != nil {
				return // it has had enough
			}
		}
		guest.CloseWithError(errors.Join(w.Close(), buffer.Flush()))
	}()
	fromReader, reader := io.Pipe()
	b := Bounds{Files: MaxFiles, Size: 1 << 20}
	go func() {
		buffer := bufio.NewWriterSize(reader, 1<<20)
		x := &extraction{out: writer{buffer}, left: b, size: b}
		err := x.tar(bufio.NewReader(fromGuest))
		fromGuest.Close()
		if !errors.Is(err, errEnough) {
			err = fmt.Errorf("it was not enough: %w", err)
		} else {
			err = errors.Join(x.out.record(isEnd, "", 0), buffer.Flush())
		}
		reader.CloseWithError(err)
	}()
	var to counted
	r, err := Unpack(bufio.NewReader(fromReader), &to, b)
	if err != nil || to.files != MaxFiles || r.Files != MaxFiles || !strings.Contains(r.More, "more than 1000000 files") {
		t.Errorf("%d files, %d said, %q, %v", to.files, r.Files, r.More, err)
	}
}
