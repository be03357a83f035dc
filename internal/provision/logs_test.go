//go:build linux || freebsd

package provision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/console"
	"skep/internal/plan"
)

// What was written after the last look at a log is cut when its writer is gone,
// also by one that never looked: a sweep after the keeper's death.
func TestLogsEndWithinTheirSize(t *testing.T) {
	for _, watched := range []bool{true, false} {
		l := &plan.Log{Name: "console-log", Path: filepath.Join(t.TempDir(), "log"), Max: 16 << 10}
		ls := newLogs(console.Trim)
		f, err := ls.open(func(string) {}, l, watched)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(strings.Repeat("0123456789abcde\n", 4<<10) + "the last\n"); err != nil {
			t.Fatal(err)
		}
		f.Close()
		ls.close(func(string) {}, l)
		ls.close(func(string) {}, l) // again: two sweeps
		b, err := os.ReadFile(l.Path)
		if err != nil || len(b) > 16<<10 || !strings.HasSuffix(string(b), "the last\n") {
			t.Errorf("watched %v: %d bytes stay (%v)", watched, len(b), err)
		}
	}
	// A log that was never made, or that the user removed.
	newLogs(console.Trim).close(func(string) {}, &plan.Log{Name: "console-log", Path: filepath.Join(t.TempDir(), "none"), Max: 16 << 10})
}

// A drill has nobody who may read a log: it is emptied as soon as it is over its size, and what writes it goes on.
func TestLogsThatNobodyReads(t *testing.T) {
	l := &plan.Log{Name: "console-log", Path: filepath.Join(t.TempDir(), "log"), Max: 16 << 10}
	ls := newLogs((*workers)(nil).keepBelow)
	f, err := ls.open(func(string) {}, l, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, unread := range []bool{false, true} {
		ls.unread.Store(unread)
		if _, err := f.WriteString(strings.Repeat("0123456789abcde\n", 2<<10)); err != nil {
			t.Fatal(err)
		}
		if err := ls.trim(l.Path, int64(l.Max)); err != nil {
			t.Errorf("unread %v: %v", unread, err)
		}
		if _, err := f.WriteString("the last\n"); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(l.Path)
		if cut := len(b) <= 16<<10; err != nil || cut != unread || !strings.HasSuffix(string(b), "the last\n") {
			t.Errorf("unread %v: %d bytes stay, cut is %v (%v)", unread, len(b), cut, err)
		}
	}
}
