//go:build linux || freebsd

package attack

import (
	"context"
	"fmt"
	"skep/internal/drill/report"
	"time"
)

// roundBound is how long one round may take: all attempts, in one jail. It takes seconds, or a minute on a
// slow host; an attacker that answers nothing would be waited for, a call at a time, for hours.
const roundBound = 10 * time.Minute

// A Round makes attempts in one attacker after another.
type Round struct {
	Rows []Attempt
	// enter brings the attacker for an attempt, where the one before was lost or is not to be used again.
	Enter func(context.Context, Attempt) (*Fixture, error)
	// made is told each attempt and what came of it.
	Made func(a Attempt, v report.Verdict, how string)
	// paired: there is one attacker before the others, whose addresses they can be compared with.
	Paired bool
	// spent says of an attacker that it is not to be used again after an attempt, although it lives; nil
	// is never.
	Spent func(Attempt, report.Verdict) bool
}

// Run makes all attempts of the round, within roundBound. Once ctx is done the attacker is let go of, which
// ends whatever is waited for; the error says at which attempt that was.
func (r Round) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, roundBound, fmt.Errorf("the attempts took longer than %s", roundBound))
	defer cancel()
	var s *Fixture
	defer func() {
		if s != nil {
			s.Leave()
		}
	}()
	if r.Paired && len(r.Rows) > 0 {
		first, err := r.Enter(ctx, r.Rows[0])
		if err != nil {
			return because(ctx, err)
		}
		first.Leave()
	}
	for _, a := range r.Rows {
		if s == nil {
			if s, err = r.Enter(ctx, a); err != nil {
				return fmt.Errorf("before %s: %w", a.ID, because(ctx, err))
			}
		}
		stop := context.AfterFunc(ctx, s.Session.close)
		v, how := s.make(a)
		stop()
		if ctx.Err() != nil {
			return fmt.Errorf("at %s: %w", a.ID, context.Cause(ctx))
		}
		r.Made(a, v, how)
		if s.lost != nil || a.Fresh || r.Spent != nil && r.Spent(a, v) {
			s.Leave()
			s = nil
		}
	}
	return nil
}

// because is the error, or what ended ctx and so caused it.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// make makes one attempt. An attacker that is gone before it has told what it found is stopped.
func (s *Fixture) make(a Attempt) (v report.Verdict, how string) {
	defer func() {
		if r := recover(); r == any(lost{}) {
			v, how = report.Stopped, killed
		} else if r != nil {
			panic(r)
		}
	}()
	if a.Needs != nil {
		if why, ok := a.Needs(s); !ok {
			return report.Skipped, why
		}
	}
	s.again()
	o := a.Do.do(s)
	if !o.Stopped {
		return report.Escaped, o.How
	}
	return report.Stopped, o.How
}

// Outcomes are by attempt; one that was skipped is not in it.
type Outcomes map[string]Outcome

// Measured makes every attempt in the guest's phase and says what came of it.
func Measured(ctx context.Context, these []Attempt, enter func(context.Context) (*Fixture, error)) (Outcomes, error) {
	all := Outcomes{}
	r := Round{
		Rows: these, Paired: true,
		Enter: func(ctx context.Context, _ Attempt) (*Fixture, error) { return enter(ctx) },
		Made: func(a Attempt, v report.Verdict, how string) {
			if v != report.Skipped {
				all[a.ID] = Outcome{Stopped: v == report.Stopped, How: how}
			}
		},
	}
	return all, r.Run(ctx)
}

// Open says whether the attempt succeeded.
func (o Outcomes) Open(id string) bool {
	was, made := o[id]
	return made && !was.Stopped
}
