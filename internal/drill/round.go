//go:build linux || freebsd

package drill

import (
	"context"
	"fmt"
	"skep/internal/drill/report"
	"time"
)

// roundBound is how long one round may take: all attempts, in one jail. It takes seconds, or a minute on a
// slow host; an attacker that answers nothing would be waited for, a call at a time, for hours.
const roundBound = 10 * time.Minute

// A round makes attempts in one attacker after another.
type round struct {
	rows []Attempt
	// enter brings the attacker for an attempt, where the one before was lost or is not to be used again.
	enter func(context.Context, Attempt) (*Fixture, error)
	// made is told each attempt and what came of it.
	made func(a Attempt, v report.Verdict, how string)
	// paired: there is one attacker before the others, whose addresses they can be compared with.
	paired bool
	// spent says of an attacker that it is not to be used again after an attempt, although it lives; nil
	// is never.
	spent func(Attempt, report.Verdict) bool
}

// run makes all attempts of the round, within roundBound. Once ctx is done the attacker is let go of, which
// ends whatever is waited for; the error says at which attempt that was.
func (r round) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, roundBound, fmt.Errorf("the attempts took longer than %s", roundBound))
	defer cancel()
	var s *Fixture
	defer func() {
		if s != nil {
			s.leave()
		}
	}()
	if r.paired && len(r.rows) > 0 {
		first, err := r.enter(ctx, r.rows[0])
		if err != nil {
			return because(ctx, err)
		}
		first.leave()
	}
	for _, a := range r.rows {
		if s == nil {
			if s, err = r.enter(ctx, a); err != nil {
				return fmt.Errorf("before %s: %w", a.ID, because(ctx, err))
			}
		}
		stop := context.AfterFunc(ctx, s.session.close)
		v, how := s.make(a)
		stop()
		if ctx.Err() != nil {
			return fmt.Errorf("at %s: %w", a.ID, context.Cause(ctx))
		}
		r.made(a, v, how)
		if s.lost != nil || a.Fresh || r.spent != nil && r.spent(a, v) {
			s.leave()
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

// outcomes are by attempt; one that was skipped is not in it.
type outcomes map[string]Outcome

// measured makes every attempt in the guest's phase and says what came of it.
func measured(ctx context.Context, these []Attempt, enter func(context.Context) (*Fixture, error)) (outcomes, error) {
	all := outcomes{}
	r := round{
		rows: these, paired: true,
		enter: func(ctx context.Context, _ Attempt) (*Fixture, error) { return enter(ctx) },
		made: func(a Attempt, v report.Verdict, how string) {
			if v != report.Skipped {
				all[a.ID] = Outcome{Stopped: v == report.Stopped, How: how}
			}
		},
	}
	return all, r.run(ctx)
}

// open says whether the attempt succeeded.
func (o outcomes) open(id string) bool {
	was, made := o[id]
	return made && !was.Stopped
}
