// Package console is the serial console of a guest as people meet it: the log
// that is always written and always bounded, and the session that a terminal
// can join and leave.
package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Trim keeps a log at or below max bytes. Where it has grown over, it keeps
// the newest half of max, from the start of a line, below a line that says how
// much is gone. The hypervisor goes on appending meanwhile: its descriptor is
// O_APPEND, so it follows the end of the file wherever that is.
func Trim(path string, max int64) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= max {
		return err
	}
	f, end, err := OpenToTrim(path)
	if err != nil {
		return err
	}
	defer f.Close()
	defer end.Close()
	return TrimFile(f, end, max)
}

// OpenToTrim opens a log twice, as TrimFile takes it: once to read and cut it, and once for appending, like the
// hypervisor, so that neither overwrites the other.
func OpenToTrim(path string) (f, end *os.File, err error) {
	if f, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	if end, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, end, nil
}

// mostKept bounds what is in memory for it.
const mostKept = 64 << 20

// trimming has one cut follow another: whoever asked for one may have given it up and asked again, and what both
// keep would add up.
var trimming sync.Mutex

// TrimFile is Trim of a log that is open.
func TrimFile(f, end *os.File, max int64) error {
	trimming.Lock()
	defer trimming.Unlock()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size <= max {
		return nil
	}
	keep := min(max/2, mostKept)
	tail := make([]byte, keep)
	n, err := f.ReadAt(tail, size-keep)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	tail = tail[:n]
	if i := bytes.IndexByte(tail, '\n'); i >= 0 {
		tail = tail[i+1:]
	}
	mark := fmt.Sprintf("[skep: %d bytes of log cut here]\n", size-int64(len(tail)))
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = end.Write(append([]byte(mark), tail...))
	return err
}

// Tail is the last max bytes of a log, from the start of a line where one
// begins in them.
func Tail(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return TailOf(f, max)
}

// TailOf is Tail of a log that is open.
func TailOf(f *os.File, max int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := info.Size() - max
	if from < 0 {
		from = 0
	}
	b := make([]byte, info.Size()-from)
	n, err := f.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	b = b[:n]
	if from > 0 {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return b, nil
}

// Overlap is how many of the first bytes of live are already the last bytes of
// log. Whoever joins a console connects first and reads the log second, so
// that nothing is lost in between; what came both ways is shown once.
func Overlap(log, live []byte) int {
	for n := min(len(log), len(live)); n > 0; n-- {
		if bytes.Equal(log[len(log)-n:], live[:n]) {
			return n
		}
	}
	return 0
}
