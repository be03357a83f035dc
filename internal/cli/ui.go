package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"skep/internal/cell"
	"skep/internal/fault"
)

// ui owns all that skep writes to people. Its rules:
//
//   - What was asked for goes to standard output; everything else, to standard
//     error, each line beginning with "skep: ".
//   - "skep: error: …" says what failed, "skep: hint: …" says what to do, and
//     nothing else comes after them.
//   - Nothing that a guest, a file or a hypervisor wrote reaches a terminal
//     unescaped, except on the console, which is the guest's.
//   - A step that takes more than a second says what it is about.
type ui struct {
	in       io.Reader
	out, err io.Writer
	mu       sync.Mutex
	lost     error       // the first error of printf
	raw      atomic.Bool // the terminal is in raw mode: a newline alone does not begin a line
}

// note writes one line for a person.
func (u *ui) note(format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	end := "\n"
	if u.raw.Load() {
		end = "\r\n"
	}
	fmt.Fprintf(u.err, "skep: %s%s", cell.Printable(fmt.Sprintf(format, args...)), end)
}

// rawTerminal is for the time in which the terminal is in raw mode, where what
// is written to people goes there as well. The returned function ends it.
func (u *ui) rawTerminal() (done func()) {
	u.raw.Store(terminal(u.err) != nil)
	return func() { u.raw.Store(false) }
}

// fail writes an error and its hint, and returns the exit status for it.
func (u *ui) fail(err error) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	var shown shownError
	if errors.As(err, &shown) {
		return int(shown.code)
	}
	if known := new(fault.Error); !errors.As(err, &known) {
		err = fault.New(fault.Host, "", "%s", err) // the library's words: "write /x: no space left on device"
	}
	u.explain(fault.First(err), fault.HintOf(err))
	for i, one := range fault.ListOf(err) {
		if i > 0 {
			u.explain(one.Error(), fault.HintOf(one))
		}
	}
	return int(fault.CodeOf(err))
}

// explain writes one error and its hint.
func (u *ui) explain(text, hint string) {
	fmt.Fprintf(u.err, "skep: error: %s\n", cell.Printable(text))
	if hint != "" {
		fmt.Fprintf(u.err, "skep: hint: %s\n", cell.Printable(hint))
	}
}

// shownError ends a command with a status whose reason was shown already.
type shownError struct{ code fault.Code }

func (e shownError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// printf writes what was asked for. What cannot be written fails the command
// at its end; see Main.
func (u *ui) printf(format string, args ...any) {
	fmt.Fprintf(asked{u}, format, args...)
}

// asked is standard output, and remembers what it did not take.
type asked struct{ *ui }

func (w asked) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.lost == nil {
			w.lost = err
		}
	}
	return n, err
}

// json writes what was asked for to a program.
func (u *ui) json(v any) error {
	e := json.NewEncoder(u.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// slow says what is going on once it has taken a second. The returned function
// ends it.
func (u *ui) slow(format string, args ...any) (done func()) {
	t := time.AfterFunc(time.Second, func() { u.note(format, args...) })
	return func() { t.Stop() }
}

// terminal is the file of a stream that is a terminal, else nil.
func terminal(stream any) *os.File {
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
