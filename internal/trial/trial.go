// Package trial finds out whether an accelerator works here: it runs the built-in guest with it, as a cell of
// its own, until that greets.
package trial

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"skep/guest/hello"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/hypervisor"
	"skep/internal/keeper"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// trialName is the name of the cell in which an accelerator is tried. No cell of
// anybody's can have it: what is remembered of the trial is removed.
const trialName = "_kvm-trial"

// How long a trial may take. A KVM that does not answer within seconds is none;
// emulation on a busy host may take a while.
const (
	kvmTrial = 20 * time.Second
	tcgTrial = 3 * time.Minute
)

// KVM runs the built-in guest under KVM once for each processor model, until one greets.
func KVM(ctx context.Context, facts host.Facts) host.Trial {
	return try(ctx, facts, cell.AccelKVM, hypervisor.CPUModels)
}

// TCG runs it once, emulated.
func TCG(ctx context.Context, facts host.Facts) host.Trial {
	return try(ctx, facts, cell.AccelTCG, hypervisor.CPUModels[:1])
}

func try(ctx context.Context, facts host.Facts, accel cell.Accel, models []string) host.Trial {
	ctx, done := sheltered(ctx) // the guest of a trial does not outlive who tries
	defer done()
	unsure := func(err error) host.Trial {
		return host.Trial{Why: fault.ReasonOf(err), Hint: fault.HintOf(err), Unsure: true}
	}
	// What stands in the way of every cell is no matter of this accelerator's.
	if err := host.Ready(cell.Hello(), facts); err != nil {
		return unsure(err)
	}
	st, err := store.Open(facts.Dirs)
	if err != nil {
		return unsure(err)
	}
	lock, err := st.LockNamed(trialName)
	if err != nil {
		return unsure(err)
	}
	defer lock.Unlock()
	// The trial is nobody's cell: nothing of it is to be seen afterwards.
	defer os.RemoveAll(st.StateDir(trialName))
	var t host.Trial
	for _, cpu := range models {
		facts := facts.Clone()
		facts.Linux.KVM.CPU = cpu
		why, err := model(ctx, facts, st, accel)
		if why == "" && err == nil {
			return host.Trial{Works: true, CPU: cpu}
		}
		t.Why = why
		if err != nil {
			// Only what the hypervisor itself came to is about the accelerator.
			t.Why, t.Hint = fault.ReasonOf(err), fault.HintOf(err)
			t.Unsure = t.Unsure || fault.CodeOf(err) != fault.HypervisorDied
		}
	}
	return t
}

// model runs the built-in guest and says why it did not greet, or "".
func model(ctx context.Context, facts host.Facts, st *store.Store, accel cell.Accel) (string, error) {
	c := cell.Hello()
	c.Name = trialName
	c.Accel = accel
	within := kvmTrial
	if accel == cell.AccelTCG {
		within = tcgTrial
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	greeted := make(chan bool, 1)
	var k *keeper.Keeper
	k = keeper.New(keeper.Config{Cell: c, Facts: facts, Store: st, Foreground: true,
		Prepared: func(socket string) error {
			conn, err := unixsock.Dial(socket)
			if err != nil {
				return err
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(within / 2))
				ok := greets(conn)
				greeted <- ok
				if !ok {
					k.Kill("the trial of an accelerator")
					return
				}
				_, _ = io.WriteString(conn, string(hello.PowerOff))
				_, _ = io.Copy(io.Discard, conn)
			}()
			return nil
		}})
	out, err := k.Run(ctx)
	if err != nil {
		return "", err
	}
	select {
	case ok := <-greeted:
		if ok {
			return "", nil
		}
	default:
	}
	return out.Reason, nil
}

// greets says whether the built-in guest's greeting comes.
func greets(r io.Reader) bool {
	want := hello.Greeting
	got := make([]byte, 0, len(want))
	one := make([]byte, 1)
	for {
		if _, err := r.Read(one); err != nil {
			return false
		}
		got = append(got, one[0])
		if len(got) > len(want) {
			got = got[1:]
		}
		if string(got) == want {
			return true
		}
	}
}

// sheltered has a signal cancel a context where its default would end this
// process at once and leave behind what it holds. done ends that, and the
// process too if a signal came.
func sheltered(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ch, caught := make(chan os.Signal, 4), make(chan syscall.Signal, 1)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	go func() {
		for {
			select {
			case s := <-ch:
				if s != syscall.SIGPIPE { // the failed write tells
					caught <- s.(syscall.Signal)
					cancel()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		cancel()
		select {
		case s := <-caught:
			_ = syscall.Kill(os.Getpid(), s)
			time.Sleep(100 * time.Millisecond)
		default:
		}
	}
}
