package attack

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"skep/internal/drill/report"
	"skep/internal/jail"
)

// nobody is the process of an attacker that is none.
type nobody struct{}

func (nobody) Pid() int                                { return 0 }
func (nobody) Kill() error                             { return nil }
func (nobody) Done() <-chan struct{}                   { c := make(chan struct{}); close(c); return c }
func (nobody) Wait(context.Context) (jail.Exit, error) { return jail.Exit{}, nil }
func (nobody) Release() error                          { return nil }

// silentRound has attackers that take commands and answer none.
func silentRound(t *testing.T, made func(Attempt, report.Verdict, string)) Round {
	t.Helper()
	return Round{
		Rows: []Attempt{{ID: "first", Do: try(39)}, {ID: "second", Do: try(39)}},
		Enter: func(context.Context, Attempt) (*Fixture, error) {
			ours, theirs := net.Pipe()
			go func() {
				for b := make([]byte, 64); ; {
					if _, err := theirs.Read(b); err != nil {
						return
					}
				}
			}()
			return &Fixture{Session: &Session{conn: ours}, Proc: nobody{}}, nil
		},
		Made: made,
	}
}

// An attacker that answers nothing is not waited for beyond the bound, and the error says where that was.
func TestRoundIsBounded(t *testing.T) {
	late := errors.New("it took longer than a moment")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, late)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- silentRound(t, func(a Attempt, _ report.Verdict, _ string) { t.Errorf("%s was made", a.ID) }).Run(ctx)
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, late) || !strings.Contains(err.Error(), "at first") {
			t.Errorf("%v", err)
		}
	case <-time.After(Patience / 2):
		t.Fatal("it is waited for all the same")
	}
}

// Time may run out while an attempt reads what it has found; that is the end of the round, and not of skep.
func TestRoundEndsInTheMiddleOfAnAttempt(t *testing.T) {
	late := errors.New("it took too long")
	ctx, cancel := context.WithCancelCause(t.Context())
	ours, _ := net.Pipe()
	r := Round{Rows: []Attempt{{ID: "a", Do: code(func(s *Fixture) Outcome {
		cancel(late)
		s.Session.close()
		return environment(s)
	})}}, Made: func(a Attempt, v report.Verdict, _ string) { t.Errorf("%s has the verdict %s", a.ID, v) }}
	r.Enter = func(context.Context, Attempt) (*Fixture, error) {
		return &Fixture{Session: &Session{conn: ours}, Proc: nobody{}}, nil
	}
	if err := r.Run(ctx); !errors.Is(err, late) {
		t.Errorf("%v", err)
	}
}

// Whoever was lost is followed by another attacker, and so is one that is spent.
func TestRoundBringsAnother(t *testing.T) {
	entered, made := 0, 0
	r := Round{Rows: []Attempt{{ID: "a", Do: code(func(s *Fixture) Outcome { s.lost = errors.New("gone"); return stopped("") })},
		{ID: "b", Do: code(func(*Fixture) Outcome { return stopped("") })}, {ID: "c", Do: code(func(*Fixture) Outcome { return escaped("") })},
		{ID: "d", Fresh: true, Do: code(func(*Fixture) Outcome { return stopped("") })}, {ID: "e", Do: code(func(*Fixture) Outcome { return stopped("") })}},
		Made:  func(Attempt, report.Verdict, string) { made++ },
		Spent: func(_ Attempt, v report.Verdict) bool { return v == report.Escaped }, Paired: true}
	r.Enter = func(context.Context, Attempt) (*Fixture, error) {
		entered++
		ours, _ := net.Pipe()
		return &Fixture{Session: &Session{conn: ours}, Proc: nobody{}}, nil
	}
	if err := r.Run(t.Context()); err != nil || made != 5 || entered != 1+4 {
		t.Errorf("%d attempts in %d attackers: %v", made, entered, err)
	}
}
