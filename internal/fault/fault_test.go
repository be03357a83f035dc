package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

// Each row is an error and all that is asked of one.
func TestErrors(t *testing.T) {
	gone := &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}
	inner := New(Input, "name another", "use disk d")
	for name, row := range map[string]struct {
		err                error
		text, reason, hint string
		code               Code
	}{
		"operation":           {New(Host, "", "open %s", "/x"), "cannot open /x", "cannot open /x", "", Host},
		"all of it":           {Cannot(Busy, "wait", "start", "web", "it runs (pid %d)", 7), "cannot start web: it runs (pid 7)", "it runs (pid 7)", "wait", Busy},
		"plain":               {Fail(Input, "use --all", "no cell given"), "no cell given", "no cell given", "use --all", Input},
		"cause":               {Wrap(Host, gone, "", "read %s", "/x"), "cannot read /x: open /x: file does not exist", "open /x: file does not exist", "", Host},
		"cannot once":         {Wrap(Host, inner, "", "start web"), "cannot start web: use disk d", "use disk d", "name another", Input},
		"own hint":            {Wrap(Host, inner, "skep ps", "start web"), "cannot start web: use disk d", "use disk d", "skep ps", Input},
		"plain cause":         {Wrap(Host, Fail(Jail, "", "no layer"), "", "start web"), "cannot start web: no layer", "no layer", "", Jail},
		"place":               {&At{Err: inner, Place: "a.hcl:2:3"}, "cannot use disk d (a.hcl:2:3)", "cannot use disk d", "name another", Input},
		"place in a cause":    {Wrap(Host, &At{Err: inner, Place: "a.hcl:2:3"}, "", "start web"), "cannot start web: use disk d (a.hcl:2:3)", "use disk d (a.hcl:2:3)", "name another", Input},
		"of another's making": {gone, "open /x: file does not exist", "open /x: file does not exist", "", Host},
		"wrapped by fmt":      {fmt.Errorf("cells: %w", inner), "cells: cannot use disk d", "cannot use disk d", "name another", Input},
		"passing":             {Wrap(Host, syscall.EMFILE, "", "open it"), "cannot open it: " + syscall.EMFILE.Error(), syscall.EMFILE.Error(), "", Busy},
	} {
		t.Run(name, func(t *testing.T) {
			if got := row.err.Error(); got != row.text {
				t.Errorf("text %q, want %q", got, row.text)
			}
			if got := ReasonOf(row.err); got != row.reason {
				t.Errorf("reason %q, want %q", got, row.reason)
			}
			if HintOf(row.err) != row.hint || CodeOf(row.err) != row.code {
				t.Errorf("hint %q, code %d; want %q, %d", HintOf(row.err), CodeOf(row.err), row.hint, row.code)
			}
		})
	}
	if CodeOf(nil) != OK || HintOf(nil) != "" || !errors.Is(Wrap(Host, gone, "", "x"), fs.ErrNotExist) {
		t.Error("no error, or a cause that is lost")
	}
}

// Of a list the first stands in the sentence around it, and each of the others alone.
func TestFirst(t *testing.T) {
	one, two := New(Input, "", "use disk a"), New(Host, "", "use disk b")
	list := Join(one, two)
	for want, err := range map[string]error{
		"cannot use disk a":                   list,
		"cannot start web: use disk a":        Wrap(Host, list, "", "start web"),
		"cannot use disk a (x:1:1)":           &At{Err: list, Place: "x:1:1"},
		"cannot use disk b":                   two,
		"cannot start: use disk a (x:1:1)":    Wrap(Host, List{&At{Err: one, Place: "x:1:1"}, two}, "", "start"),
		"cells: cannot use disk a (and more)": fmt.Errorf("cells: %w (and more)", one),
	} {
		if got := First(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if Join() != nil || Join(one) != error(one) || len(ListOf(list)) != 2 || ListOf(one) != nil || ListOf(nil) != nil {
		t.Error("a list of none or one")
	}
	if list.Error() != "cannot use disk a (and 1 more)" || CodeOf(list) != Input {
		t.Error(list)
	}
}

// What one process says of an error, another shows word for word, and takes apart as well.
func TestWire(t *testing.T) {
	one := &At{Err: Cannot(Input, "check the path", "use disk", "a", "it is not there"), Place: "web.hcl:3:1"}
	for name, err := range map[string]error{
		"one":     one,
		"plain":   Fail(Jail, "", "audit of web failed"),
		"foreign": errors.New("connection reset"),
		"list":    Wrap(Host, List{one, New(Busy, "later", "start web")}, "", "start web"),
	} {
		t.Run(name, func(t *testing.T) {
			b, jerr := json.Marshal(struct {
				OK bool `json:"ok"`
				Wire
			}{Wire: ToWire(err)})
			if jerr != nil {
				t.Fatal(jerr)
			}
			var w Wire
			if jerr := json.Unmarshal(b, &w); jerr != nil {
				t.Fatal(jerr)
			}
			got := w.Err()
			if First(got) != First(err) || CodeOf(got) != CodeOf(err) || HintOf(got) != HintOf(err) || ReasonOf(got) != ReasonOf(err) {
				t.Errorf("%s\ncame as %v (%d, %q, because %q)", b, First(got), CodeOf(got), HintOf(got), ReasonOf(got))
			}
			if n := len(ListOf(err)); n != len(ListOf(got)) {
				t.Errorf("%d errors came, of %d", len(ListOf(got)), n)
			}
			if again := Wrap(Host, got, "", "up"); again.Code != CodeOf(err) {
				t.Error("wrapped again, its code is", again.Code)
			}
		})
	}
	if ToWire(nil).Err() != nil {
		t.Error("no error came as one")
	}
	var old Wire // of a keeper that knows the text alone
	if err := json.Unmarshal([]byte(`{"ok":false,"error":"cannot stop web","hint":"h","code":3}`), &old); err != nil {
		t.Fatal(err)
	}
	if err := old.Err(); err.Error() != "cannot stop web" || CodeOf(err) != GuestDied || HintOf(err) != "h" {
		t.Error(err)
	}
}

// The table of exit statuses is whole and in order.
func TestCodes(t *testing.T) {
	for i, c := range Codes {
		if c.Name == "" || c.Meaning == "" || i > 0 && Codes[i-1].Code >= c.Code {
			t.Errorf("%+v", c)
		}
	}
}
