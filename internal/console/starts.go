package console

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skep/internal/layout"
)

// A log has a line for each start of its cell:
//
//	[skep: started 2026-11-30T09:13:13Z 5f3a9c1d07e2b466]
//
// A guest can write such a line as well. It cannot know the number at its end,
// which is drawn at each start and kept beside the log; see package layout.
const markFormat = "[skep: started %s %s]\n"

// maxStarts bounds how many starts are remembered. Of older ones the log has
// nothing left, or no use.
const maxStarts = 200

// MarkStart writes a line for a start to a log that is open for appending, and
// remembers its number.
func MarkStart(log *os.File, at time.Time) error {
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	number := hex.EncodeToString(b)
	if err := rememberStart(layout.Starts(log.Name()), number); err != nil {
		return err
	}
	line := fmt.Sprintf(markFormat, at.UTC().Format(time.RFC3339), number)
	if !endsLine(log.Name()) {
		line = "\n" + line
	}
	_, err := io.WriteString(log, line)
	return err
}

// rememberStart adds a number to the file of them, and leaves out the oldest.
func rememberStart(path, number string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := append(strings.Fields(string(old)), number)
	if len(lines) > maxStarts {
		lines = lines[len(lines)-maxStarts:]
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = io.WriteString(tmp, strings.Join(lines, "\n")+"\n")
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// endsLine says whether a file is empty or ends with a newline.
func endsLine(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] == '\n'
}

// Start is one start of a cell in its log.
type Start struct {
	At     time.Time
	Offset int64 // of its line
}

// Starts finds the starts in a log, in order. Lines that only look like one
// are the guest's.
func Starts(log string) ([]Start, error) {
	known, err := StartNumbers(log)
	if err != nil || known == nil {
		return nil, err
	}
	numbers := map[string]bool{}
	for _, n := range known {
		numbers[n] = true
	}
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return startsIn(f, numbers)
}

func startsIn(r io.Reader, numbers map[string]bool) (starts []Start, err error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for at := int64(0); ; {
		// A line longer than the buffer comes in pieces; only a whole one counts.
		line, err := lines.ReadSlice('\n')
		if s, ok := startIn(line, numbers); ok {
			starts = append(starts, Start{s, at})
		}
		at += int64(len(line))
		switch {
		case errors.Is(err, io.EOF):
			return starts, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return starts, err
		}
	}
}

func startIn(line []byte, numbers map[string]bool) (at time.Time, ok bool) {
	words := bytes.Fields(line)
	if len(words) != 4 || string(words[0]) != "[skep:" || string(words[1]) != "started" {
		return at, false
	}
	number, closed := strings.CutSuffix(string(words[3]), "]")
	if !closed || !numbers[number] {
		return at, false
	}
	delete(numbers, number) // one that the guest has read somewhere counts once
	at, err := time.Parse(time.RFC3339, string(words[2]))
	return at, err == nil
}

// TailLines is where the last n lines of a log begin.
func TailLines(path string, n int) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return tailLines(f, n)
}

func tailLines(f *os.File, n int) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if n <= 0 {
		return info.Size(), nil
	}
	const block = 64 << 10
	b := make([]byte, block)
	for end, seen := info.Size(), 0; end > 0; {
		from := max(end-block, 0)
		m, err := f.ReadAt(b[:end-from], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := m - 1; i >= 0; i-- {
			if b[i] != '\n' || from+int64(i) == info.Size()-1 {
				continue
			}
			if seen++; seen == n {
				return from + int64(i) + 1, nil
			}
		}
		end = from
	}
	return 0, nil
}
