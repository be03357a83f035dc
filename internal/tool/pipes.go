package tool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// tail keeps the end of what is written to it, and its first words: what a program that panics says first is why.
type tail struct {
	head []byte
	b    []byte
	most int
}

// headBytes is how much of the beginning is kept.
const headBytes = 300

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - t.most; over > 0 {
		if t.head == nil {
			t.head = append(t.head, t.b[:min(headBytes, over)]...)
		}
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// words is what a tool said, without what a terminal would obey.
func (t *tail) words() string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r >= ' ' && r < 0x7f || r > 0xa0 {
			return r
		}
		return '?'
	}, strings.TrimSpace(strings.ToValidUTF8(string(t.head)+string(t.b), "?")))
}

// errOutput says that a tool said more than it may.
func errOutput(most int64) error {
	return fmt.Errorf("%w: it said more than %d bytes", ErrBound, most)
}

// pump copies at most so many bytes. What is more is an error, and is not read.
func pump(w io.Writer, r io.Reader, most int64) error {
	n, err := io.Copy(w, io.LimitReader(r, most))
	if err != nil || n < most {
		return err
	}
	var one [1]byte
	if n, _ := r.Read(one[:]); n > 0 {
		return errOutput(most)
	}
	return nil
}

// percent reads the progress of qemu-img -p out of its output: "    (12.50/100%)\r". The rest of a line that
// is too long to be one is passed over.
type percent struct {
	line []byte
	tell func(float64)
	to   io.Writer
}

func (p *percent) Write(b []byte) (int, error) {
	for _, c := range b {
		switch {
		case c != '\r' && c != '\n':
			if len(p.line) < 64 {
				p.line = append(p.line, c)
			}
		default:
			text := strings.TrimSpace(string(p.line))
			p.line = p.line[:0]
			number, found := strings.CutSuffix(strings.TrimPrefix(text, "("), "/100%)")
			if done, err := strconv.ParseFloat(number, 64); found && err == nil && done >= 0 && done <= 100 {
				p.tell(done / 100)
			}
		}
	}
	return p.to.Write(b)
}

// converse is the caller's side of a reader's control socket. complete is called when the reader is ready:
// the jail is complete when that returns.
func converse(control io.ReadWriter, j Job, complete func() error) error {
	t := task{Reader: j.Tool.reader, Args: j.Args}
	for _, f := range j.Files {
		t.Files = append(t.Files, f.Name)
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if len(text) >= longestLine {
		return errors.New("a reader's arguments are too long")
	}
	for n := range mostLines {
		line, err := readLine(control)
		var s said
		if err == nil {
			err = json.Unmarshal(line, &s)
		}
		switch {
		case err != nil:
			return fmt.Errorf("%w: it ended without a word: %w", ErrFailed, err)
		case s.Ready && n == 0:
			if err := complete(); err != nil {
				return err
			}
			if _, err := control.Write(append(text, '\n')); err != nil {
				return fmt.Errorf("%w: %w", ErrFailed, err)
			}
			if j.begun != nil {
				j.begun()
			}
		case n == 0 || s.Ready:
			return fmt.Errorf("%w: it spoke out of turn", ErrFailed)
		case s.Error != "":
			words := tail{most: longestReason}
			_, _ = words.Write([]byte(s.Error))
			return fmt.Errorf("%w: %s", ErrFailed, words.words())
		case s.Done:
			return nil
		case j.Progress != nil && s.Progress >= 0 && s.Progress <= 1:
			j.Progress(s.Progress)
		}
	}
	return fmt.Errorf("%w: it said more than %d lines of progress", ErrBound, mostLines)
}

// readLine reads up to a newline, bounded, and no byte beyond.
func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	for len(line) < longestReason*8 {
		var one [1]byte
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return nil, err
		}
		if one[0] == '\n' {
			return line, nil
		}
		line = append(line, one[0])
	}
	return nil, errors.New("a line without an end")
}
