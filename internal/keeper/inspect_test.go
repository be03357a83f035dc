package keeper

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/store"
)

// pauses records how often the guest was made to stand still and to go on.
func (w *world) asked(t *testing.T, do string) error {
	t.Helper()
	c := w.dial()
	defer c.Close()
	_, err := c.Ask(t.Context(), do, "skep "+do)
	return err
}

// A guest that is suspended stands still until it is resumed, says who asked, and takes nobody else's end of a
// pause for its own.
func TestSuspend(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		k := keepIt(t.Context(), w.keeper(plain, nil).Run)
		w.phase(store.Running)
		for range 2 { // twice is once
			if err := w.asked(t, "suspend"); err != nil {
				t.Errorf("suspend: %v", err)
			}
			if st := w.phase(store.Paused); !strings.Contains(st.Suspended, "skep") {
				t.Errorf("suspended by %q", st.Suspended)
			}
		}
		c := w.dial()
		copied := false
		if err := c.Paused(t.Context(), "skep disk copy", func() error { copied = true; return nil }); err != nil || !copied {
			t.Errorf("a pause in a pause: %v, %v", err, copied)
		}
		c.Close()
		w.phase(store.Paused)
		if err := w.asked(t, "resume"); err != nil {
			t.Errorf("resume: %v", err)
		}
		if st := w.phase(store.Running); st.Suspended != "" {
			t.Errorf("suspended by %q", st.Suspended)
		}
		if err := w.asked(t, "kill"); err != nil {
			t.Error(err)
		}
		k.ends(t, store.Stopped, fault.Stopped, "killed by skep kill")
		w.nothingLeft("t")
	})
}

// Who has a guest paused lets it go on by hanging up, whatever came of the work, and hears if the guest ended
// meanwhile.
func TestPaused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		keeper := w.keeper(plain, nil)
		k := keepIt(t.Context(), keeper.Run)
		failed := errors.New("the disk is full")
		c := w.dial()
		if err := c.Paused(t.Context(), "copy", func() error { w.phase(store.Paused); return failed }); !errors.Is(err, failed) {
			t.Errorf("%v", err)
		}
		c.Close()
		w.phase(store.Running)
		c = w.dial()
		err := c.Paused(t.Context(), "copy", func() error { keeper.Kill("A"); <-k.over; return nil })
		if !errors.Is(err, errPauseLost) {
			t.Errorf("of a guest that ended: %v", err)
		}
		c.Close()
		w.nothingLeft("t")
	})
}

// A keeper says what it does, whatever its state machine is at, and writes profiles that are known.
func TestInspect(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		keeper := w.keeper(plain, nil)
		k := keepIt(t.Context(), keeper.Run)
		ask := func(f func(c *Client) ([]byte, error)) ([]byte, error) {
			c := w.dial()
			defer c.Close()
			return f(c)
		}
		b, err := ask(func(c *Client) ([]byte, error) { return c.Stacks(t.Context()) })
		if err != nil || !bytes.Contains(b, []byte("keeper.(*Keeper)")) {
			t.Errorf("stacks: %v, %.200s", err, b)
		}
		for _, kind := range Profiles() {
			if kind == "cpu" {
				continue // its clock is the real one
			}
			b, err := ask(func(c *Client) ([]byte, error) { return c.Profile(t.Context(), kind) })
			if err != nil || !bytes.HasPrefix(b, []byte("\x1f\x8b")) {
				t.Errorf("%s: %v, %.20q", kind, err, b)
			}
		}
		if _, err := ask(func(c *Client) ([]byte, error) { return c.Profile(t.Context(), "nothing") }); fault.CodeOf(err) != fault.Input {
			t.Errorf("%v", err)
		}
		keeper.Kill("A")
		<-k.over
	})
}

// The keeper's log says who keeps what; SKEP_DEBUG has it say more.
func TestKeeperLog(t *testing.T) {
	w := inWorld(t)
	f, err := OpenLog(w.store, "t")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, tt := range []struct {
		debug string
		want  bool
	}{{"", false}, {"1", true}} {
		t.Setenv(EnvDebug, tt.debug)
		log := StartLog(ctx, w.store, "t", f)
		if log.Enabled(ctx, slog.LevelDebug) != tt.want {
			t.Errorf("%s=%q: each event is said: %v", EnvDebug, tt.debug, !tt.want)
		}
	}
	b, err := os.ReadFile(filepath.Join(w.dirs.StateDir("t"), layout.KeeperLog))
	if err != nil || strings.Count(string(b), "keeper started") != 2 {
		t.Errorf("%v: %s", err, b)
	}
	if err := os.WriteFile(filepath.Join(w.dirs.StateDirs(), "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLog(w.store, "file"); err == nil {
		t.Error("a log is written below a file")
	}
}

// What a start would refuse is said without one, but not of a cell that runs: it has all of it.
func TestLook(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.look = func(r plan.Resource) []error {
			if r.ID == "slot" {
				return []error{fault.New(fault.Input, "", "use the slot")}
			}
			return nil
		}
		keeper := w.keeper(plain, nil)
		p, problems := plan.Make(keeper.Cell, w.facts)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if err := Look(keeper.Config, p); err == nil || !strings.Contains(err.Error(), "use the slot") {
			t.Errorf("%v", err)
		}
		k := keepIt(t.Context(), keeper.Run)
		w.phase(store.Running)
		if err := Look(keeper.Config, p); err != nil {
			t.Errorf("of a cell that runs: %v", err)
		}
		keeper.Kill("A")
		<-k.over
	})
}

// An image in use is said to be a cell's, by its name, where it is one that is known.
func TestNameHolders(t *testing.T) {
	w := inWorld(t)
	if err := errors.Join(w.store.MakeRunDir("db"), w.store.WriteState(store.State{Name: "db", State: store.Running, PID: 77, KeeperPID: 76})); err != nil {
		t.Fatal(err)
	}
	used := &disk.InUse{Holders: []disk.Holder{{PID: 77}, {PID: 9, Name: "cat"}}}
	NameHolders(w.store, errors.Join(errors.New("in use"), used))
	if used.Holders[0].Name != "the cell db" || used.Holders[1].Name != "cat" {
		t.Errorf("%+v", used.Holders)
	}
	NameHolders(w.store, errors.New("something else"))
}

// Once its keeper has died nobody counts the calls that a guest is refused, and whoever adopts it says so.
func TestUncountedOnceAdopted(t *testing.T) {
	w := inWorld(t)
	k := w.keeper(plain, nil)
	k.uncounted()
	if k.state.Refused != nil {
		t.Error("without a filter nothing is refused")
	}
	k.state.Jail = &jail.Record{Filters: []jail.FilterRecord{{Name: "calls"}}}
	k.state.Refused = &jail.Refusals{Run: map[string]uint64{"socket": 2}}
	k.uncounted()
	if r := k.state.Refused; r.Uncounted != jail.NoKeeper || r.Run["socket"] != 2 {
		t.Errorf("%+v", r)
	}
	k.state.Refused.Uncounted = jail.TooOften
	k.uncounted()
	if r := k.state.Refused; r.Uncounted != jail.TooOften {
		t.Errorf("the first reason is lost: %q", r.Uncounted)
	}
}

// The last lines of both logs are kept, bounded in number and in width, and a log that is not there has none.
func TestLastLines(t *testing.T) {
	dir := t.TempDir()
	if guest, hyper := lastLines(dir); guest != nil || hyper != nil {
		t.Errorf("%q, %q", guest, hyper)
	}
	long := strings.Repeat("x", 3*lastWidth)
	text := strings.Repeat("line\n\n", 50) + long + "\r\n\xff\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, layout.ConsoleLog), []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, layout.HypervisorLog), []byte("qemu: first\nqemu: second\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	guest, hyper := lastLines(dir)
	if len(guest) != lastCount || guest[lastCount-1] != "\uFFFD" || guest[lastCount-2] != long[:lastWidth]+"…" || guest[0] != "line" {
		t.Errorf("%d lines: %q", len(guest), guest)
	}
	if len(hyper) == 0 || !strings.Contains(hyper[len(hyper)-1], "second") {
		t.Errorf("%q", hyper)
	}
}

// What a provisioner may ask of its keeper: whether a guest has had a disk to write to, and whether its file
// says that it is raw.
func TestEnv(t *testing.T) {
	w := inWorld(t)
	image := filepath.Join(t.TempDir(), "a.img")
	if err := os.WriteFile(image, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := w.keeper("cell \"t\" {\n disk \"a\" {\n file = \""+image+"\"\n format = \"raw\"\n}\n disk \"b\" {\n file = \"/b.img\"\n}\n boot = \"uefi\"\n}", nil)
	e := env{k}
	a, b := &plan.Disk{Label: "a", Type: plan.DiskFile, Path: image}, &plan.Disk{Label: "b", Type: plan.DiskFile, Path: "/b.img"}
	if !e.SaysRaw(a) || e.SaysRaw(b) || !e.SaysRaw(&plan.Disk{Label: "z", Type: plan.DiskZvol}) {
		t.Error("what is said to be raw")
	}
	if err := w.store.MakeStateDir("t"); err != nil {
		t.Fatal(err)
	}
	p := &plan.Plan{Resources: []plan.Resource{{ID: "disk:a", Spec: a}, {ID: "disk:b", Spec: &plan.Disk{Label: "b", Path: "/b.img", ReadOnly: true}}}}
	if e.Had(a) {
		t.Error("it has had a disk before its first start")
	}
	k.rememberDisks(p)
	if !e.Had(a) || e.Had(&plan.Disk{Path: image, ReadOnly: true}) {
		t.Error("the disk is not remembered")
	}
	e.Notify("said")
	if len(w.notes) != 1 || w.notes[0] != "said" {
		t.Errorf("%q", w.notes)
	}
	crashAt("taken", "slot") // does nothing where nobody asks for it
}

// Where neither journal nor plan is left, the slot is found by its file; one that names another cell is not ours.
func TestSlotWithoutAPlan(t *testing.T) {
	w := inWorld(t)
	if err := os.WriteFile(w.store.SlotFile(5), []byte("t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := slotOf(w.store, "t"); len(r) != 1 || r[0].Spec.(*plan.Slot).Number != 5 {
		t.Errorf("%+v", r)
	}
	if r := slotOf(w.store, "other"); r != nil {
		t.Errorf("%+v", r)
	}
	of := func(name string) *plan.Plan {
		return &plan.Plan{Resources: []plan.Resource{{ID: "slot", Spec: &plan.Slot{Number: 5, Name: name, File: w.store.SlotFile(5)}}}}
	}
	if !slotIsOurs(of("t")) || slotIsOurs(of("other")) || slotIsOurs(&plan.Plan{}) {
		t.Error("whose slot it is")
	}
}

// A client that has been told too late hears that the keeper has finished.
func TestToldTooLate(t *testing.T) {
	w := inWorld(t)
	k := w.keeper(plain, nil)
	for range cap(k.commands) {
		k.commands <- command{}
	}
	close(k.finished)
	reply := make(chan answer, 1)
	k.tell(command{do: commandStop, reply: reply})
	select {
	case a := <-reply:
		if a.err == nil || !strings.Contains(a.err.Error(), "it has finished") {
			t.Errorf("%v", a.err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody answers")
	}
}

// What a keeper had not answered when it finished was not done, unless it was to end; what it had answered was.
func TestReplyOfAKeeperThatFinishes(t *testing.T) {
	w := inWorld(t)
	k := w.keeper(plain, nil)
	close(k.finished)
	for do, ok := range map[commandKind]bool{commandStop: true, commandKill: true, commandScreenshot: false, commandSave: false, commandDump: false, commandPause: false} {
		if a := k.replyTo(command{do: do, reply: make(chan answer, 1)}); (a.err == nil) != ok {
			t.Errorf("%s: %v", do, a.err)
		}
	}
	reply := make(chan answer, 1)
	reply <- answer{data: []byte("x")}
	if a := k.replyTo(command{do: commandScreenshot, reply: reply}); a.err != nil || string(a.data) != "x" {
		t.Errorf("%v", a)
	}
}
