package store

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"skep/internal/host"
	"skep/internal/layout"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func names(paths []string) string {
	var all []string
	for _, p := range paths {
		all = append(all, filepath.Base(p))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// Of a cell that is forgotten skep's own files go; the guest's data stays and is named, and what nobody of us
// has made stays and is an error.
func TestForget(t *testing.T) {
	s := lab(t)
	if removed, kept, err := s.Forget("never"); removed != nil || kept != nil || err != nil {
		t.Errorf("a cell that never ran: %v, %v, %v", removed, kept, err)
	}
	for _, f := range []string{layout.ConsoleLog, layout.Starts(layout.ConsoleLog), layout.Last, "." + layout.Last + ".12", layout.Vars} {
		write(t, filepath.Join(s.StateDir("plain"), f), "x")
		write(t, filepath.Join(s.StateDir("data"), f), "x")
		write(t, filepath.Join(s.StateDir("foreign"), f), "x")
	}
	if removed, kept, err := s.Forget("plain"); len(removed) != 5 || kept != nil || err != nil {
		t.Errorf("%s, %v, %v", names(removed), kept, err)
	}
	if _, err := os.Stat(s.StateDir("plain")); !os.IsNotExist(err) {
		t.Error("its directory stays")
	}
	layer := layout.LayerPrefix + "root.qcow2"
	write(t, filepath.Join(s.StateDir("data"), layer), "the guest's")
	write(t, filepath.Join(s.StateDir("data"), layout.DisposablePrefix+"x.qcow2"), "scratch")
	removed, kept, err := s.Forget("data")
	if len(removed) != 6 || names(kept) != layer || err != nil {
		t.Errorf("removed %s, kept %s, %v", names(removed), names(kept), err)
	}
	if b, err := os.ReadFile(filepath.Join(s.StateDir("data"), layer)); string(b) != "the guest's" {
		t.Errorf("the guest's data: %q, %v", b, err)
	}
	captured := layout.Captures(layout.CaptureOf("lan"))
	for _, f := range append(captured[:], layout.NetworkLog, layout.NetworkLogOf("dmz"), layout.OlderHalf(layout.NetworkLogOf("dmz"))) {
		write(t, filepath.Join(s.StateDir("cards"), f), "x")
	}
	if removed, kept, err := s.Forget("cards"); len(removed) != 3 || names(kept) != captured[0]+" "+captured[1] || err != nil {
		t.Errorf("removed %s, kept %s, %v", names(removed), names(kept), err)
	}
	write(t, filepath.Join(s.StateDir("foreign"), "notes.txt"), "mine")
	if _, _, err := s.Forget("foreign"); err == nil || !strings.Contains(err.Error(), "notes.txt stays: skep has not made it") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(s.StateDir("foreign"), "notes.txt")); err != nil {
		t.Error(err)
	}
}

// A disk that a guest has had is known again by its file and not by its name alone.
func TestDisksAreRemembered(t *testing.T) {
	s := lab(t)
	dir := t.TempDir()
	disk, other := filepath.Join(dir, "disk"), filepath.Join(dir, "other")
	write(t, disk, "1")
	write(t, other, "2")
	if s.HadDisk("web", disk) || s.HadPaths("web") != nil {
		t.Error("a cell that never ran has had a disk")
	}
	if err := errors.Join(s.MakeStateDir("web"), s.RememberDisks("web", []string{disk, filepath.Join(dir, "gone")})); err != nil {
		t.Fatal(err)
	}
	if !s.HadDisk("web", disk) || s.HadDisk("web", other) || s.HadDisk("web", "/nowhere") || !slices.Equal(s.HadPaths("web"), []string{disk}) {
		t.Errorf("remembered: %v", s.HadPaths("web"))
	}
	if err := os.Rename(other, disk); err != nil {
		t.Fatal(err)
	}
	if s.HadDisk("web", disk) {
		t.Error("another file of that name is taken for it")
	}
	before, _ := os.Stat(s.hadPath("web"))
	if err := s.RememberDisks("web", []string{disk}); err != nil {
		t.Fatal(err)
	}
	after, _ := os.Stat(s.hadPath("web"))
	if os.SameFile(before, after) {
		t.Error("the new file is not remembered")
	}
	if err := s.RememberDisks("web", []string{disk}); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.Stat(s.hadPath("web")); !os.SameFile(after, again) {
		t.Error("what is the same is written anew")
	}
}

// Two read no console at once where the hypervisor serves it, and whoever holds a cell is known by its number.
func TestConsoleLockAndHolder(t *testing.T) {
	s := lab(t)
	l, err := s.LockConsole("web")
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.LockConsole("web")
	if consoleLock == syscall.LOCK_SH {
		if err != nil {
			t.Errorf("a second one: %v", err)
		}
		second.Unlock()
	} else if err == nil || !strings.Contains(err.Error(), "somebody else is there") {
		t.Errorf("a second one: %v", err)
	}
	l.Unlock()
	if l, err = s.LockConsole("web"); err != nil {
		t.Errorf("after the first has left: %v", err)
	}
	l.Unlock()
	if pid, held := s.Holder("web"); pid != 0 || held {
		t.Errorf("nobody holds it: %d, %v", pid, held)
	}
	k, err := s.LockCell("web")
	if err != nil {
		t.Fatal(err)
	}
	if pid, held := s.Holder("web"); pid != os.Getpid() || !held {
		t.Errorf("held by %d, %v; we are %d", pid, held, os.Getpid())
	}
	k.Unlock()
	n, err := s.LockNamed("create")
	if err != nil {
		t.Fatal(err)
	}
	n.Unlock()
}

// Slots are given out under one lock, and whose they are is read apart.
func TestSlotsTaken(t *testing.T) {
	s := lab(t)
	write(t, s.SlotFile(3), "web\n")
	write(t, s.SlotFile(9), "")
	write(t, filepath.Join(filepath.Dir(s.SlotFile(3)), "notes"), "no slot")
	err := s.WithSlots(func(taken map[string]int) error {
		if len(taken) != 2 || taken["#3"] != 3 || taken["#9"] != 9 {
			t.Errorf("%v", taken)
		}
		return errors.New("mine")
	})
	if err == nil || err.Error() != "mine" {
		t.Errorf("what is done under the lock says %v", err)
	}
	if all, err := s.Slots(); err != nil || all["web"] != 3 || all["#9"] != 9 || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := View(host.Dirs{Run: "/nowhere"}).Slots(); all != nil || err != nil {
		t.Errorf("without directories: %v, %v", all, err)
	}
}

// What is listed are cells: those that run, and those that have run. Skep's own names are none.
func TestNames(t *testing.T) {
	s := lab(t)
	for _, d := range []string{s.RunDir("web"), s.RunDir("lab@2"), s.StateDir("web"), s.StateDir("old"), s.StateDir("_kvm-trial")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(s.Dirs().StateDirs(), "file"), "no directory")
	if all, err := s.Names(); err != nil || strings.Join(all, " ") != "lab@2 old web" {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := s.RunNames(); err != nil || strings.Join(all, " ") != "lab@2 web" {
		t.Errorf("running: %v, %v", all, err)
	}
	if s.HasJournal("web") {
		t.Error("there is no journal yet")
	}
	j, err := s.OpenJournal("web")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	one := resource("one")
	if err := errors.Join(j.Append(Entry{Step: Taking, Resource: &one}), j.Clear()); err != nil || !s.HasJournal("web") {
		t.Errorf("%v, has a journal: %v", err, s.HasJournal("web"))
	}
	if open, _, _, err := s.ReadJournal("web"); err != nil || len(open) != 0 {
		t.Errorf("a cleared journal has %v, %v", open, err)
	}
}

// What a cell was comes from its run directory while it runs, and is remembered afterwards.
func TestLast(t *testing.T) {
	s := lab(t)
	if st, held, err := s.ReadState("web"); st.State != Stopped || st.UID != -1 || held || err != nil {
		t.Errorf("a cell that never ran: %+v, %v", st, err)
	}
	k, err := s.LockCell("web")
	if err != nil {
		t.Fatal(err)
	}
	if st, held, _ := s.ReadState("web"); st.State != Starting || !held {
		t.Errorf("one that has a keeper and no state yet: %+v", st)
	}
	k.Unlock()
	if err := errors.Join(s.WriteLast(State{Name: "web", State: Crashed, Reason: "it died"}), s.MakeRunDir("web"),
		s.WriteState(State{Name: "web", State: Running}), s.WriteDetail(State{Name: "web"})); err != nil {
		t.Fatal(err)
	}
	if st, _, _ := s.ReadDetail("web"); st.State != Running || st.Version != StateVersion {
		t.Errorf("%+v", st)
	}
	if err := s.ForgetRunning("web"); err != nil {
		t.Fatal(err)
	}
	if err := s.ForgetRunning("web"); err != nil {
		t.Errorf("twice: %v", err)
	}
	if st, _, _ := s.ReadDetail("web"); st.State != Crashed || st.Reason != "it died" {
		t.Errorf("%+v", st)
	}
	write(t, filepath.Join(s.StateDir("web"), layout.Last), "{")
	if _, _, err := s.ReadState("web"); err == nil {
		t.Error("half a file is a state")
	}
}

// What is run in the directories must be theirs who run it, and there must be room.
func TestUsable(t *testing.T) {
	dir := t.TempDir()
	if err := Usable(host.Dirs{State: filepath.Join(dir, "a/b"), Run: filepath.Join(dir, "c")}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err == nil {
		t.Error("looking has made something")
	}
	write(t, filepath.Join(dir, "file"), "x")
	if _, err := Open(host.Dirs{State: filepath.Join(dir, "file/state"), Run: filepath.Join(dir, "run")}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("below a file: %v", err)
	}
}

// A file that is replaced is whole, and a reader of the old one keeps it.
func TestWriteDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old")
	old, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := WriteDurable(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if _, err := old.Read(b); err != nil || string(b) != "old" {
		t.Errorf("%q, %v", b, err)
	}
	if b, _ := os.ReadFile(path); string(b) != "new" {
		t.Errorf("%q", b)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err := WriteDurable("/nowhere/f", nil); err == nil || len(left) > 0 {
		t.Errorf("%v, left %v", err, left)
	}
}

// What is accessible is said in words, one and many.
func TestReach(t *testing.T) {
	for want, r := range map[string]Reach{
		"0 files, 0 device nodes, 1 mount, 34 system calls":       {Mounts: 1, Syscalls: 34},
		"1 file, 1 device node, 2 mounts":                         {Files: 1, Nodes: 1, Mounts: 2},
		"all files of an existing tree, 4 device nodes, 0 mounts": {Files: -1, Nodes: 4},
	} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	b, err := json.Marshal(State{Reach: &Reach{Mounts: 1}})
	if err != nil || !strings.Contains(string(b), `"room":{"files":0`) {
		t.Errorf("%s, %v", b, err)
	}
}
