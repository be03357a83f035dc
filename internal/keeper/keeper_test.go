package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/plan"
	"skep/internal/provision"
	"skep/internal/store"
)

const (
	plain   = `cell "t" {}`
	patient = `cell "t" { restart = "on-crash" }`
	screen  = "cell \"t\" {\n screen {}\n}"
)

// kept is a cell that a keeper keeps in the background.
type kept struct {
	out  Outcome
	err  error
	died string
	over chan struct{}
}

func keepIt(ctx context.Context, keep func(context.Context) (Outcome, error)) *kept {
	b := &kept{over: make(chan struct{})}
	go func() {
		defer close(b.over)
		b.out, b.died, b.err = run(ctx, keep)
	}()
	synctest.Wait()
	return b
}

// ends waits for the end and looks at it.
func (b *kept) ends(t *testing.T, state store.Phase, code fault.Code, reason string) {
	t.Helper()
	<-b.over
	if b.err != nil || b.out.State != state || b.out.Code != code || !strings.Contains(b.out.Reason, reason) {
		t.Errorf("ended with %+v, %v\nwant %s, %d and a reason with %q", b.out, b.err, state, code, reason)
	}
}

// phase is what others see of the cell.
func (w *world) phase(want store.Phase) store.State {
	w.t.Helper()
	synctest.Wait()
	st, _, err := w.store.ReadDetail("t")
	if err != nil || st.State != want {
		w.t.Errorf("the state is %s (%s), %v; want %s", st.State, st.Reason, err, want)
	}
	return st
}

// inBubble runs a test in a world and in a time of its own.
func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	w := inWorld(t)
	synctest.Test(t, func(t *testing.T) {
		w.t = t
		defer w.hangUp()
		f(t, w)
	})
}

func TestOneLife(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		prepared, running := "", 0
		k := keepIt(t.Context(), w.keeper(screen, func(c *Config) {
			c.Prepared = func(socket string) error { prepared = socket; return nil }
			c.Running = func() { running++ }
		}).Run)
		st := w.phase(store.Running)
		if m := w.the(); !m.runs || st.PID != m.pid || st.Screen != "there" || st.Plan == nil || st.Cell == nil {
			t.Errorf("runs %v, pid %d, screen %q, plan %v", m.runs, st.PID, st.Screen, st.Plan != nil)
		}
		if !strings.HasSuffix(prepared, "console.sock") || running != 1 {
			t.Errorf("prepared %q, running %d times", prepared, running)
		}
		w.the().end(hypervisor.EndPowerOff, "powered off")
		k.ends(t, store.Stopped, fault.OK, "powered off")
		w.nothingLeft("t")
		if last := w.phase(store.Stopped); last.End != string(hypervisor.EndPowerOff) || last.PID != 0 {
			t.Errorf("remembered: %+v", last)
		}
	})
}

// Every resource, in its turn, cannot be acquired. All that was is released, the error names it, and
// nothing is left.
func TestEachAcquisitionFails(t *testing.T) {
	for _, id := range resources(t) {
		t.Run(id, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.fail = func(which string) error {
					if which == id {
						return errors.New("not today")
					}
					return nil
				}
				_, err := w.keeper(patient, nil).Run(t.Context())
				if err == nil || !strings.Contains(err.Error(), "not today") || fault.CodeOf(err) != fault.Host {
					t.Errorf("%v", err)
				}
				w.nothingLeft("t")
			})
		})
	}
}

// resources are the IDs of a plan, but for the keeper's own.
func resources(t *testing.T) (ids []string) {
	w := inWorld(t)
	p, problems := plan.Make(w.keeper(patient, nil).Cell, w.facts)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, r := range p.Resources {
		if r.ID != controlSocket {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// The keeper dies at every step of a life. Whoever comes next adopts a guest that runs and sweeps what
// does not, and nothing is left.
func TestDeathAtEachStep(t *testing.T) {
	var points []string
	t.Run("none", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.boot = func(m *machine) { m.end(hypervisor.EndPowerOff, "powered off") }
			keepIt(t.Context(), w.keeper(plain, nil).Run).ends(t, store.Stopped, fault.OK, "")
			points = w.points
		})
	})
	if len(points) < 40 {
		t.Fatalf("only %d steps: %v", len(points), points)
	}
	for _, at := range points {
		t.Run(at, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.boot = func(m *machine) { m.end(hypervisor.EndPowerOff, "powered off") }
				w.dieAt = at
				k := keepIt(t.Context(), w.keeper(plain, nil).Run)
				<-k.over
				if k.died != at {
					t.Fatalf("it did not die at %s but ended with %v, %v", at, k.out, k.err)
				}
				swept, held, err := Sweep(t.Context(), w.store, "t")
				if held || err != nil {
					t.Errorf("the sweep: %+v, held %v, %v", swept, held, err)
				}
				w.nothingLeft("t")
			})
		})
	}
}

// A guest whose keeper dies while it runs is adopted, kept and stopped; one that cannot be adopted is ended.
func TestAdoption(t *testing.T) {
	for _, refused := range []error{nil, errors.New("its jail is gone")} {
		t.Run(fmt.Sprint(refused), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				ctx, die := context.WithCancel(t.Context())
				first := keepIt(
					ctx,
					w.keeper(patient, func(c *Config) { c.Running = func() { panic(death{"running"}) } }).Run,
				)
				<-first.over
				die()
				if !Orphaned(w.store, "t") {
					t.Fatal("nobody sees that the guest has lost its keeper")
				}
				if _, err := w.keeper(patient, nil).Run(t.Context()); err == nil ||
					!strings.Contains(err.Error(), "already running") {
					t.Errorf("it is started twice: %v", err)
				}
				w.adopt = refused
				k := w.keeper(patient, nil)
				second := keepIt(t.Context(), k.Adopt)
				if refused != nil {
					<-second.over
					if second.err == nil || !strings.Contains(second.err.Error(), refused.Error()) {
						t.Errorf("%v", second.err)
					}
					w.nothingLeft("t")
					return
				}
				if st := w.phase(store.Running); !strings.Contains(st.Reason, "adopted") {
					t.Errorf("reason %q", st.Reason)
				}
				// It keeps it from here on as its own: a crash is restarted.
				w.the().end(hypervisor.EndTripleFault, "triple fault")
				w.phase(store.Crashed)
				time.Sleep(time.Second)
				w.phase(store.Running)
				k.Stop("the test")
				second.ends(t, store.Stopped, fault.Stopped, "asked by the test")
				w.nothingLeft("t")
			})
		})
	}
}

// What is lost with the state or the journal of a guest that runs is ended, and that is said.
func TestAdoptionWithoutStateOrJournal(t *testing.T) {
	for _, file := range []string{"detail.json", "journal"} {
		t.Run(file, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				<-keepIt(
					t.Context(),
					w.keeper(plain, func(c *Config) { c.Running = func() { panic(death{"running"}) } }).Run,
				).over
				path := w.store.RunDir("t") + "/" + file
				if err := os.WriteFile(path, []byte("{\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				_, err := w.keeper(plain, nil).Adopt(t.Context())
				if err == nil || !strings.Contains(err.Error(), "was ended") {
					t.Errorf("%v", err)
				}
				if len(w.machines) > 0 {
					t.Errorf("it lives: %v", w.left())
				}
			})
		})
	}
}

// An emptied journal does not hide a guest: what its plan names is adopted, written down anew and released.
func TestAdoptionWithAnEmptyJournal(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		<-keepIt(
			t.Context(),
			w.keeper(plain, func(c *Config) { c.Running = func() { panic(death{"running"}) } }).Run,
		).over
		if err := os.Truncate(w.store.JournalPath("t"), 0); err != nil {
			t.Fatal(err)
		}
		k := w.keeper(plain, nil)
		b := keepIt(t.Context(), k.Adopt)
		open, boot, _, err := w.store.ReadJournal("t")
		if err != nil || boot == "" || len(open) != len(w.phase(store.Running).Plan.Resources) {
			t.Errorf("the journal has %d resources of boot %q, %v", len(open), boot, err)
		}
		k.Kill("the test")
		b.ends(t, store.Stopped, fault.Stopped, "killed by the test")
		w.nothingLeft("t")
	})
}

// The pauses between crashes double; the sixth crash within ten minutes holds the cell.
func TestBackOffAndBudget(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var at []time.Time
		w.boot = func(m *machine) {
			at = append(at, time.Now())
			time.Sleep(time.Second)
			m.end(hypervisor.EndTripleFault, "triple fault")
		}
		k := keepIt(t.Context(), w.keeper(patient, nil).Run)
		k.ends(t, store.OnHold, fault.GuestDied, "held: ended 6 times within 10m0s, the last time: triple fault")
		var pauses []string
		for i := 1; i < len(at); i++ {
			pauses = append(pauses, (at[i].Sub(at[i-1]) - time.Second).String())
		}
		if got := strings.Join(pauses, " "); got != "500ms 1s 2s 4s 8s" {
			t.Errorf("pauses %s", got)
		}
		if st := w.phase(store.OnHold); st.Restarts != 5 {
			t.Errorf("%d restarts are remembered", st.Restarts)
		}
		w.nothingLeft("t")
	})
}

func TestResetBudget(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.boot = func(m *machine) {
			for range 6 {
				time.Sleep(time.Second)
				m.reset()
			}
		}
		k := keepIt(t.Context(), w.keeper(plain, nil).Run)
		time.Sleep(3500 * time.Millisecond)
		if st := w.phase(store.Running); st.Resets != 3 || w.the().resets != 3 {
			t.Errorf("%d resets are published, %d done", st.Resets, w.the().resets)
		}
		k.ends(t, store.OnHold, fault.GuestDied, "the guest reset itself more than 5 times")
		w.nothingLeft("t")
	})
}

func TestResetFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.boot = func(m *machine) { m.resetErr = errors.New("no answer"); m.reset() }
		k := keepIt(t.Context(), w.keeper(plain, nil).Run)
		k.ends(t, store.Crashed, fault.HypervisorDied, "the guest's reset failed: no answer; killed")
		w.nothingLeft("t")
	})
}

// A guest that ignores its power button has it pressed again every three seconds, and is killed in the end.
func TestStopTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.boot = func(m *machine) { m.unresponsive, m.buttonErr = true, errors.New("no such button") }
		keeper := w.keeper(patient, nil)
		k := keepIt(t.Context(), keeper.Run)
		m, asked := w.the(), time.Now()
		keeper.Stop("A")
		w.phase(store.Stopping)
		k.ends(t, store.Stopped, fault.Stopped, "did not power off within 30s")
		if took := time.Since(asked); took != 30*time.Second || len(m.presses) < 10 {
			t.Errorf("after %s and %d presses", took, len(m.presses))
		}
		if !slices.Contains(w.notes, "cannot press the power button: no such button") {
			t.Errorf("notes %q", w.notes)
		}
		w.nothingLeft("t")
	})
}

// Commands over the control socket, two of them at once.
func TestTwoCommandsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.boot = func(m *machine) { m.unresponsive = true }
		k := keepIt(t.Context(), w.keeper(patient, nil).Run)
		png, err := w.dial().Ask(t.Context(), "screenshot", "")
		if err != nil || string(png) != "PNG" {
			t.Errorf("%q, %v", png, err)
		}
		stop, kill := w.dial(), w.dial()
		reasons := make(chan string, 2)
		for c, do := range map[*Client]string{stop: "stop", kill: "kill"} {
			go func() {
				_, err := c.Ask(t.Context(), do, "test "+do)
				reason, eerr := c.Ended(t.Context())
				if err != nil || eerr != nil {
					reason = fmt.Sprint(err, eerr)
				}
				reasons <- reason
			}()
		}
		k.ends(t, store.Stopped, fault.Stopped, "killed by test kill")
		for range 2 {
			if r := <-reasons; r != "killed by test kill" {
				t.Errorf("a client hears %q", r)
			}
		}
		w.nothingLeft("t")
	})
}

// What a client says is bounded and understood, or refused; a keeper answers to the last.
func TestControlProtocol(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		keeper := w.keeper(patient, nil)
		k := keepIt(t.Context(), keeper.Run)
		for said, want := range map[string]string{"{\n": "cannot understand the request", `{"do":"dance"}` + "\n": `cannot do "dance"`, `{"do":"status"}` + "\n": `"ok":true`} {
			if got := raw(w, said); !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), want) {
				t.Errorf("%q is answered with %q", said, got)
			}
		}
		if c := w.dial(); c.Close() != nil { // says nothing
			t.Error("cannot hang up")
		}
		ctx, cancel := context.WithCancel(t.Context())
		c := w.dial()
		if _, err := c.Ask(ctx, "kill", "A"); err != nil {
			t.Error(err)
		}
		<-k.over
		keeper.Flush()
		if r, err := c.Ended(ctx); err != nil || r != "killed by A" {
			t.Errorf("%q, %v", r, err)
		}
		if r, err := c.Ended(ctx); err == nil {
			t.Errorf("a keeper that is gone says %q", r)
		}
		cancel()
		if _, err := c.Ended(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		keeper.Stop("B") // nobody is there any more
	})
}

// raw says something to a keeper and returns its first line.
func raw(w *world, said string) string {
	c := w.dial()
	defer c.Close()
	if _, err := c.conn.Write([]byte(said)); err != nil {
		return err.Error()
	}
	var line json.RawMessage
	if err := c.in.Decode(&line); err != nil {
		return err.Error()
	}
	return string(line)
}

// A start that takes its time is given up when somebody asks; what else is asked is refused meanwhile.
func TestStopWhileStarting(t *testing.T) {
	for _, obeys := range []bool{true, false} {
		t.Run(fmt.Sprint(obeys), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.acquire = func(e provision.Env) error {
					for range 100 {
						time.Sleep(100 * time.Millisecond)
						if who, asked := e.StopAsked(); asked && obeys {
							return fault.New(fault.Stopped, "", "load the guest: stopped by %s", who)
						}
					}
					return nil
				}
				k := keepIt(t.Context(), w.keeper(patient, nil).Run)
				if _, err := w.dial().Ask(t.Context(), "screenshot", "A"); err == nil ||
					!strings.Contains(err.Error(), "t is still starting") {
					t.Errorf("%v", err)
				}
				c := w.dial()
				defer c.Close()
				if _, err := c.Ask(t.Context(), "stop", "A"); err != nil {
					t.Error(err)
				}
				<-k.over
				if obeys && (k.err == nil || fault.CodeOf(k.err) != fault.Stopped) {
					t.Errorf("%+v, %v", k.out, k.err)
				}
				if !obeys {
					k.ends(t, store.Stopped, fault.Stopped, "stopped by A while starting")
				}
				w.nothingLeft("t")
			})
		})
	}
}

func TestStopInThePause(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.boot = func(m *machine) { m.end(hypervisor.EndTripleFault, "triple fault") }
		k := keepIt(t.Context(), w.keeper(patient, nil).Run)
		if st := w.phase(store.Crashed); st.PID != 0 || !strings.Contains(st.Reason, "starting again in 500ms") {
			t.Errorf("%+v", st)
		}
		if _, err := w.dial().Ask(t.Context(), "status", "A"); err == nil ||
			!strings.Contains(err.Error(), "t is not running") {
			t.Errorf("%v", err)
		}
		c := w.dial()
		defer c.Close()
		if _, err := c.Ask(t.Context(), "stop", "A"); err != nil {
			t.Error(err)
		}
		k.ends(t, store.Stopped, fault.Stopped, "stopped while waiting to be restarted after: triple fault")
		w.nothingLeft("t")
	})
}

// The keeper's own end is the guest's, in every state.
func TestCancelled(t *testing.T) {
	t.Run("running", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			ctx, cancel := context.WithCancel(t.Context())
			k := keepIt(ctx, w.keeper(patient, nil).Run)
			cancel()
			k.ends(t, store.Stopped, fault.Stopped, "the keeper was asked to end")
			w.nothingLeft("t")
		})
	})
	t.Run("pause", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.boot = func(m *machine) { m.end(hypervisor.EndHypervisorCrash, "gone") }
			ctx, cancel := context.WithCancel(t.Context())
			k := keepIt(ctx, w.keeper(patient, nil).Run)
			cancel()
			k.ends(t, store.Stopped, fault.Stopped, "after: gone")
			w.nothingLeft("t")
		})
	})
}

// While the host boots, a start that fails is tried again; what it lacks may be there a moment later.
func TestBootIsPatient(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		missing, waited := 3, 0
		w.fail = func(id string) error {
			if id == provision.HypervisorID && missing > 0 {
				missing--
				return errors.New("no bridge yet")
			}
			return nil
		}
		keeper := w.keeper(plain, func(c *Config) { c.Boot, c.Waiting = true, func(error, time.Duration) { waited++ } })
		k := keepIt(t.Context(), keeper.Run)
		time.Sleep(10 * time.Second)
		w.phase(store.Running)
		if waited != 3 {
			t.Errorf("%d waits are reported", waited)
		}
		keeper.Stop("A")
		k.ends(t, store.Stopped, fault.Stopped, "asked by A")
		w.nothingLeft("t")
	})
}

// KVM that fails on a guest which has written nothing yet is exchanged for emulation, once.
func TestEmulationAfterKVM(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.boot = func(m *machine) { m.end(hypervisor.EndInternalError, "KVM internal error") }
		keeper := w.keeper("cell \"t\" {\n boot = \"uefi\"\n}", nil)
		k := keepIt(t.Context(), keeper.Run)
		k.ends(t, store.Crashed, fault.HypervisorDied, "KVM internal error")
		if keeper.Cell.Accel != cell.AccelTCG {
			t.Errorf("it is %q", keeper.Cell.Accel)
		}
		if !strings.Contains(strings.Join(w.notes, "\n"), "KVM failed on this guest") {
			t.Errorf("notes %q", w.notes)
		}
		w.nothingLeft("t")
	})
}

// A guest that a disk fails is paused and let go on every two seconds, until that works.
func TestDiskFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		keeper := w.keeper("cell \"t\" {\n disk \"a\" { file = \"/a\" }\n}", nil)
		k := keepIt(t.Context(), keeper.Run)
		m := w.the()
		m.resumeErr = errors.New("still full")
		m.disks <- hypervisor.Event{Kind: hypervisor.EventIOError, Node: "disk0", NoSpace: true, Stopped: true}
		if st := w.phase(store.Paused); st.Reason != "disk a: no space left on the host" {
			t.Errorf("reason %q", st.Reason)
		}
		time.Sleep(5 * time.Second)
		m.resumeErr = nil
		time.Sleep(5 * time.Second)
		w.phase(store.Running)
		if m.resumes != 3 || !strings.Contains(strings.Join(w.notes, "\n"), "t: the guest goes on") {
			t.Errorf("%d times let go on; notes %q", m.resumes, w.notes)
		}
		m.disks <- hypervisor.Event{Kind: hypervisor.EventIOError, Node: "x", Read: true, Reason: "Input/output error"}
		if st := w.phase(store.Running); st.Reason != "a disk: reading it failed: input/output error; the guest was told" {
			t.Errorf("reason %q", st.Reason)
		}
		keeper.Kill("A")
		k.ends(t, store.Stopped, fault.Stopped, "killed by A")
		w.nothingLeft("t")
	})
}

// Refused calls are published a second after the first, and with the end.
func TestRefusedCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		k := keepIt(t.Context(), w.keeper(plain, nil).Run)
		m := w.the()
		for n := range uint64(5) {
			m.refusals = jail.Refusals{Run: map[string]uint64{"bpf": n + 1}}
			m.refused <- struct{}{}
			synctest.Wait()
		}
		if st := w.phase(store.Running); st.Refused.Total() != 0 {
			t.Errorf("published at once: %v", st.Refused)
		}
		time.Sleep(1100 * time.Millisecond)
		if st := w.phase(store.Running); st.Refused.Total() != 5 {
			t.Errorf("published: %v", st.Refused)
		}
		m.refusals = jail.Refusals{Run: map[string]uint64{"bpf": 9}}
		m.end(hypervisor.EndPowerOff, "powered off")
		k.ends(t, store.Stopped, fault.OK, "powered off")
		if st := w.phase(store.Stopped); st.Refused.Total() != 9 {
			t.Errorf("remembered: %v", st.Refused)
		}
	})
}

// What cannot be released stays in the journal, is said, and a sweep tries again.
func TestReleaseFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.boot = func(m *machine) { m.end(hypervisor.EndPowerOff, "powered off") }
		w.stuck = func(id string) error {
			if id == "slot" {
				return errors.New("busy")
			}
			return nil
		}
		<-keepIt(t.Context(), w.keeper(plain, nil).Run).over
		if st := w.phase(store.Stopped); st.PID != 0 {
			t.Errorf("it is shown as %+v", st)
		}
		if _, _, err := Sweep(t.Context(), w.store, "t"); err == nil ||
			!strings.Contains(err.Error(), "cannot release slot: busy") {
			t.Errorf("%v", err)
		}
		w.stuck = nil
		swept, _, err := Sweep(t.Context(), w.store, "t")
		if err != nil || !slices.Contains(swept.Released, "slot") {
			t.Errorf("%+v, %v", swept, err)
		}
		w.nothingLeft("t")
	})
}

// All that is wrong with a cell file is said in one pass.
func TestMistakesTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		wrong := func(id string) error { return fault.New(fault.Input, "", "use %s", id) }
		w.fail = func(id string) error {
			if id == "log:console" || id == "log:hypervisor" {
				return wrong(id)
			}
			return nil
		}
		w.look = func(r plan.Resource) []error { return []error{wrong(r.ID), wrong(r.ID)} }
		_, err := w.keeper(plain, nil).Run(t.Context())
		all := fault.ListOf(err)
		if len(all) < 3 {
			t.Errorf("%d mistakes: %v", len(all), err)
		}
		w.nothingLeft("t")
	})
}

// Of two keepers of one cell the second is refused.
func TestSecondKeeper(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		first := w.keeper(plain, nil)
		k := keepIt(t.Context(), first.Run)
		for name, f := range map[string]func() error{
			"run":   func() error { _, err := w.keeper(plain, nil).Run(t.Context()); return err },
			"adopt": func() error { _, err := w.keeper(plain, nil).Adopt(t.Context()); return err },
			"dry run": func() error {
				return w.keeper(plain, nil).DryRun(t.Context(), func(*plan.Plan) {}, nil)
			},
		} {
			if err := f(); err == nil || !strings.Contains(err.Error(), "already running") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, held, err := Sweep(t.Context(), w.store, "t"); !held || err != nil {
			t.Errorf("it is swept: held %v, %v", held, err)
		}
		first.Kill("A")
		k.ends(t, store.Stopped, fault.Stopped, "killed by A")
	})
}

// A dry run acquires all but the hypervisor, hands that over, and releases everything. Nobody answers others then,
// so there is no socket for them.
func TestDryRun(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var seen []string
		thisHost.listenToAll = func(path string) (net.Listener, error) {
			t.Errorf("it listens on %s", path)
			return nil, errors.New("there is nobody to answer")
		}
		err := w.keeper(shared, nil).
			DryRun(t.Context(), func(p *plan.Plan) { p.Name += "2" }, func(context.Context, provision.Fixture) error {
				seen = w.left()
				return errors.New("seen enough")
			})
		if err == nil || !strings.Contains(err.Error(), "seen enough") {
			t.Errorf("%v", err)
		}
		if len(seen) < 5 || slices.Contains(seen, controlSocket) || slices.Contains(seen, "screen") {
			t.Errorf("acquired: %v", seen)
		}
		w.nothingLeft("t")
	})
}

func TestSummary(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var said string
		var k *Keeper
		k = w.keeper(
			plain,
			func(c *Config) { c.Prepared = func(string) error { said = k.Summary(); return errors.New("enough") } },
		)
		if _, err := k.Run(t.Context()); err == nil {
			t.Error("a console that cannot be opened is nothing")
		}
		if !strings.Contains(said, "t: jailed as uid") || !strings.Contains(said, "1 mount; 0 layers") {
			t.Errorf("%q", said)
		}
		w.nothingLeft("t")
	})
}

// A slot of which the kernel says that somebody has it is passed over.
func TestBusySlot(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.busy = -1
		k := w.keeper(plain, nil)
		b := keepIt(t.Context(), k.Run)
		if st := w.phase(store.Running); w.busy == 0 || st.Plan.Slot == w.busy {
			t.Errorf("slot %d, and %d is busy", st.Plan.Slot, w.busy)
		}
		k.Kill("A")
		b.ends(t, store.Stopped, fault.Stopped, "killed by A")
	})
}

// A real socket, as the keeper's process has it.
func TestDial(t *testing.T) {
	if _, err := Dial(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	l, err := net.Listen("unix", dir+"/control.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial(dir)
	if err != nil || c.PID != os.Getpid() {
		t.Fatalf("%v, %v", c, err)
	}
	c.Close()
}
