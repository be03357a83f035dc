package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/plan"
)

func lab(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(host.Dirs{State: filepath.Join(dir, "state"), Run: filepath.Join(dir, "run")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func resource(id string) plan.Resource {
	return plan.Resource{ID: id, Why: "a test", Spec: &plan.Directory{Path: "/" + id, Mode: 0o700}}
}

// Whatever was begun and not released is outstanding, in the order it was
// taken, and sure only where Taken was written.
func TestJournal(t *testing.T) {
	s := lab(t)
	j, err := s.OpenJournal("a")
	if err != nil {
		t.Fatal(err)
	}
	one, two, three := resource("one"), resource("two"), resource("three")
	for _, e := range []Entry{
		{Boot: "boot"},
		{Step: Taking, Resource: &one}, {Step: Taken, ID: "one", Held: &Held{PID: 7, Start: 8}},
		{Step: Taking, Resource: &two}, {Step: Taken, ID: "two"}, {Step: Released, ID: "two"},
		{Step: Taking, Resource: &three},
	} {
		if err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	open, boot, torn, err := s.ReadJournal("a")
	if err != nil || torn || boot != "boot" || len(open) != 2 {
		t.Fatalf("%v, torn %v, boot %q: %+v", err, torn, boot, open)
	}
	if open[0].Resource.ID != "one" || !open[0].Sure || open[0].Held.PID != 7 || open[1].Resource.ID != "three" || open[1].Sure {
		t.Errorf("%+v", open)
	}
	if d, ok := open[0].Resource.Spec.(*plan.Directory); !ok || d.Path != "/one" {
		t.Errorf("the resource came back as %#v", open[0].Resource.Spec)
	}
}

// A journal that was cut off at any byte is read up to its last whole line,
// and what that leaves out had not happened yet.
func TestJournalTornAnywhere(t *testing.T) {
	s := lab(t)
	j, err := s.OpenJournal("a")
	if err != nil {
		t.Fatal(err)
	}
	r := resource("one")
	for _, e := range []Entry{{Boot: "b"}, {Step: Taking, Resource: &r}, {Step: Taken, ID: "one"}} {
		if err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	whole, err := os.ReadFile(s.JournalPath("a"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		open, _, torn, err := parseJournal(whole[:n])
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		lines := strings.Count(string(whole[:n]), "\n")
		// A line without its end is whole all the same if nothing else is missing.
		parsed := lines
		if n > 0 && whole[n-1] != '\n' && !torn {
			parsed++
		}
		if want := parsed >= 2; (len(open) == 1) != want {
			t.Fatalf("cut at %d (%d lines): %d outstanding", n, parsed, len(open))
		}
	}
	damaged := append([]byte("{garbage\n"), whole...)
	if _, _, torn, err := parseJournal(damaged); err == nil || !torn {
		t.Error("damage in the middle goes unsaid")
	}
	unknown := []byte(`{"step":"taking","resource":{"id":"x","kind":"perpetuum mobile","why":"","spec":{}}}` + "\n")
	if _, _, _, err := parseJournal(unknown); err == nil {
		t.Error("a kind that nobody knows is half understood")
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"step":"taking","resource":{"id":"a","kind":"directory","why":"","spec":{"path":"/a"}}}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _, _, _ = parseJournal(b) })
}

// One keeper a cell; the lock's file goes with it, and the next one gets it.
func TestLockCell(t *testing.T) {
	s := lab(t)
	if s.Held("a") {
		t.Error("held by nobody")
	}
	l, err := s.LockCell("a")
	if err != nil {
		t.Fatal(err)
	}
	if !s.Held("a") {
		t.Error("not held")
	}
	if _, err := s.LockCell("a"); fault.CodeOf(err) != fault.Busy || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second keeper: %v", err)
	}
	l.Unlock()
	if s.Held("a") {
		t.Error("held after it was let go")
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dirs().Run, "locks")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	again, err := s.LockCell("a")
	if err != nil {
		t.Fatal(err)
	}
	again.Unlock()
}

// A lock whose file is removed by its holder is never held by two: everybody
// ends up on the file that has the name.
func TestLockIsOneAtATime(t *testing.T) {
	s := lab(t)
	var mu sync.Mutex
	inside := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				l, err := s.LockCell("a")
				if err != nil {
					continue
				}
				mu.Lock()
				if inside++; inside != 1 {
					t.Error("two at once")
				}
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				l.Unlock()
			}
		}()
	}
	wg.Wait()
}

func TestSlots(t *testing.T) {
	s := lab(t)
	for name, text := range map[string]string{"3": "a\n", "5": "", "x": "b\n"} {
		if err := os.WriteFile(filepath.Join(s.Dirs().Run, "slots", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Slots()
	if err != nil || len(got) != 2 || got["a"] != 3 {
		t.Errorf("%v, %v", got, err)
	}
	// One whose maker died before it wrote its name is nobody's, and not free.
	free := true
	for _, n := range got {
		free = free && n != 5
	}
	if free {
		t.Error("slot 5 would be given out twice")
	}
}

// A directory that others may write to would let them plant journals.
func TestOpenRefusesWhatOthersMayWrite(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(run, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(host.Dirs{State: filepath.Join(dir, "state"), Run: run}); err == nil || fault.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	if made, _ := os.ReadDir(run); len(made) > 0 {
		t.Errorf("made in a directory that is not trusted: %v", made)
	}
}

// The state that a reader finds is whole, and its large part is kept apart.
func TestState(t *testing.T) {
	s := lab(t)
	if st, held, err := s.ReadState("a"); err != nil || held || st.State != Stopped || st.UID != -1 {
		t.Errorf("a cell that never ran: %+v, %v, %v", st, held, err)
	}
	j, err := s.OpenJournal("a")
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	st := State{Name: "a", State: Running, PID: 4, Plan: &plan.Plan{Name: "a", OS: "linux"}}
	if err := errors.Join(s.WriteState(st), s.WriteDetail(st)); err != nil {
		t.Fatal(err)
	}
	small, _, err := s.ReadState("a")
	if err != nil || small.PID != 4 || small.Plan != nil {
		t.Errorf("%+v, %v", small, err)
	}
	large, _, err := s.ReadDetail("a")
	if err != nil || large.PID != 4 || large.Plan == nil {
		t.Errorf("%+v, %v", large, err)
	}
	if err := s.RemoveRunDir("a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.RunDir("a")); !os.IsNotExist(err) {
		t.Errorf("the run directory is there: %v", err)
	}
}

// A damaged line is told, and hides nothing that stands after it.
func TestJournalWithADamagedLine(t *testing.T) {
	open, boot, torn, err := parseJournal([]byte(`{"boot":"b"}
{"step":"taking","reso{"step":"taken","id":"x"}
{"step":"taking","resource":{"id":"b","kind":"directory","spec":{"path":"/b"}}}
{"step":"taken","id":"b","held":{"pid":7}}
`))
	if err == nil || !strings.Contains(err.Error(), "line 2") || !torn || boot != "b" {
		t.Errorf("boot %q, torn %v, %v", boot, torn, err)
	}
	if len(open) != 1 || open[0].Resource.ID != "b" || open[0].Held.PID != 7 {
		t.Errorf("outstanding: %+v", open)
	}
}

// A host that was restarted may have taken the files and left directories: the
// rootfs's goes, and anything that is in it keeps both.
func TestRunDirAfterARestartOfTheHost(t *testing.T) {
	s := lab(t)
	room := filepath.Join(s.RunDir("a"), "root")
	if err := os.MkdirAll(room, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveRunDir("a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(s.RunDir("a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the run directory is there: %v", err)
	}
	if err := errors.Join(os.MkdirAll(room, 0o755), os.WriteFile(filepath.Join(room, "file"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveRunDir("a"); err == nil {
		t.Error("a rootfs with something in it is said to be gone")
	}
	if _, err := os.Lstat(filepath.Join(room, "file")); err != nil {
		t.Error(err)
	}
}
