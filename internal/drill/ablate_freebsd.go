package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/drill/attack"
	"skep/internal/drill/report"
	"skep/internal/jail/freebsdjail"
	"skep/internal/layer"
	"skep/internal/plan"
	"skep/internal/provision"
)

// Ablate measures which layers stop which attempt: every attempt is made with one layer missing, and with
// that and capability mode missing, which alone stops most of them. The attacker always has a jail or a
// rootfs: this host is no throwaway host.
func Ablate(ctx context.Context, cfg Config) (m report.Matrix, err error) {
	began := time.Now()
	d := &drill{Config: cfg, measuring: true}
	m = report.Matrix{Version: report.Version, Time: began.UTC(), Unbuilt: map[layer.ID]string{}, Unapplied: map[layer.ID]string{}}
	err = d.lay(ctx, func(c *cell.Cell) error { return d.ablate(ctx, c, &m) })
	m.Took = time.Since(began)
	return m, err
}

// Apart starts the command on this host: FreeBSD has nothing in which a jail could be built and root be
// root all the same.
func Apart(cmd *exec.Cmd) error { return cmd.Start() }

// Furnish has nothing to prepare.
func Furnish() error { return nil }

// keyOf is what an attempt's outcome goes by.
func keyOf(scene, id string) string { return scene + " " + id }

func (d *drill) ablate(ctx context.Context, c *cell.Cell, m *report.Matrix) error {
	if !d.Facts.FreeBSD.Racct {
		m.Unapplied[report.RctlLayer] = "kern.racct.enable is not set"
	}
	for scene, these := range map[string][]attack.Attempt{report.SceneHypervisor: attack.All(), report.SceneWorker: attack.WorkerAttempts()} {
		for _, a := range these {
			m.Rows = append(m.Rows, report.MatrixRow{ID: a.ID, Scene: scene, Group: a.Group, Tries: a.Tries, Alone: []layer.ID{}, Table: a.Layers(), NoControl: a.NoControl, Single: a.Single})
		}
	}
	slices.SortStableFunc(m.Rows, func(a, b report.MatrixRow) int { return cmp.Compare(a.Scene, b.Scene) }) // "hypervisor" before "worker"
	type once struct {
		all attack.Outcomes
		err error
	}
	measured := map[string]once{}
	// With an error there may be outcomes all the same: those of the other place.
	with := func(gone missing) (attack.Outcomes, error) {
		o, ok := measured[list(gone)]
		if !ok {
			o.all, o.err = d.measure(ctx, c, gone)
			if ctx.Err() == nil {
				measured[list(gone)] = o
			}
		}
		return o.all, o.err
	}
	of := map[layer.ID]seen{}
	for _, l := range report.Layers {
		if m.Unapplied[l.ID] != "" {
			continue
		}
		if d.Progress != nil {
			d.Progress(report.Row{ID: string(l.ID)})
		}
		var err error
		var s seen
		others := prerequisites[l.ID]
		for _, o := range []struct {
			to   *attack.Outcomes
			gone missing
		}{
			{&s.alone, without(l.ID)},
			{&s.more, without(append(slices.Clone(others), l.ID)...)},
			{&s.base, without(others...)},
			{&s.both, without(append(slices.Clone(others), report.Capsicum, l.ID)...)},
			{&s.bare, without(append(slices.Clone(others), report.Capsicum)...)},
		} {
			if *o.to, err = with(o.gone); err != nil {
				m.Unbuilt[l.ID] = err.Error()
			}
			if ctx.Err() != nil {
				return fmt.Errorf("layer %s: %w", l.ID, cmp.Or(err, context.Cause(ctx)))
			}
		}
		of[l.ID] = s
	}
	for i := range m.Rows {
		r := &m.Rows[i]
		key := keyOf(r.Scene, r.ID)
		for _, l := range report.Layers {
			if of[l.ID].alone.Open(key) && !slices.ContainsFunc(goes[l.ID], func(id layer.ID) bool { return of[id].alone.Open(key) }) {
				r.Needed = append(r.Needed, l.ID)
			}
			if stopping(l.ID, key, of) {
				r.Alone = append(r.Alone, l.ID)
			}
		}
	}
	return nil
}

// seen is what came of the attempts with a layer missing: only that; that and its prerequisites, or just the
// prerequisites; and the same two with capability mode missing.
type seen struct{ alone, more, base, both, bare attack.Outcomes }

// stops: without the layer the attempt succeeded, where with it and all else the same it did not.
func (s seen) stops(id string) bool {
	shut := func(o attack.Outcomes) bool { was, made := o[id]; return made && was.Stopped }
	return s.alone.Open(id) || s.more.Open(id) && shut(s.base) || s.both.Open(id) && shut(s.bare)
}

// stopping says whether a layer was seen to stop the attempt.
func stopping(l layer.ID, attempt string, of map[layer.ID]seen) bool {
	if l == report.Capsicum {
		return of[l].alone.Open(attempt) || slices.ContainsFunc(report.EveryLayer(), func(id layer.ID) bool {
			return of[id].both.Open(attempt) && !of[id].more.Open(attempt)
		})
	}
	// What goes with it may be what stopped it.
	return of[l].stops(attempt) && !slices.ContainsFunc(goes[l], func(id layer.ID) bool { return of[id].stops(attempt) })
}

// measure makes every attempt with these layers missing.
func (d *drill) measure(ctx context.Context, c *cell.Cell, gone missing) (all attack.Outcomes, err error) {
	defer dropTaps(taps())
	substitute := func(p *plan.Plan) {
		d.substitute(p)
		d.leaveOut(p, gone)
	}
	err = d.dryRun(ctx, c, substitute, func(ctx context.Context) (err error) {
		d.harness.Missing = lacking(d.harness.Plan, gone)
		all = attack.Outcomes{}
		for _, scene := range []struct {
			name  string
			these []attack.Attempt
			enter func(context.Context) (*attack.Fixture, error)
		}{
			{report.SceneHypervisor, attack.All(), func(ctx context.Context) (*attack.Fixture, error) { return d.appear(ctx, report.PhaseRun) }},
			{report.SceneWorker, attack.WorkerAttempts(), d.inWorker},
		} {
			d.stacks = nil
			some, serr := attack.Measured(ctx, scene.these, scene.enter)
			if serr != nil {
				err = errors.Join(err, fmt.Errorf("in the %s's place: %w", scene.name, serr))
				continue // in the other one it may be possible
			}
			for id, o := range some {
				all[keyOf(scene.name, id)] = o
			}
		}
		if !d.bait.Stands() { // or what is tried on a process of the host would look stopped
			err = errors.Join(err, errors.New("the bystander has ended"))
		}
		return errors.Join(err, d.harness.Refill())
	})
	if err != nil {
		return all, fmt.Errorf("without %s: %w", list(gone), err)
	}
	return all, nil
}

// leaveOut takes out of the plan what of the missing layers is on it.
func (d *drill) leaveOut(p *plan.Plan, gone missing) {
	for _, s := range plan.Specs[*plan.Prison](p) {
		if gone.has(report.PrivateRoot) {
			s.Path = "/"
		}
		if gone.has(report.Securelevel) {
			s.SecureLevel = -1
		}
	}
	for _, s := range plan.Specs[*plan.Rctl](p) {
		if gone.has(report.RctlLayer) {
			s.Rules = nil
		}
	}
	for _, s := range plan.Specs[*plan.Worker](p) {
		if gone.has(report.RctlLayer) {
			s.Rules = nil
		}
		if gone.has(report.Rlimits) {
			s.Rlimits = nil
		}
		if gone.has(report.OwnUser) {
			s.UID, s.GID = 0, 0
		}
	}
	for _, s := range plan.Specs[*plan.Bhyve](p) {
		if gone.has(report.PrivateRoot) {
			s.Path = d.bait.Program // there is no rootfs that it lies in
		}
		if gone.has(report.Rlimits) {
			s.Rlimits = nil
		}
	}
}

// lacking is what of them is done without when the attacker enters.
func lacking(p *plan.Plan, gone missing) provision.Missing {
	m := provision.Missing{
		Launch:      freebsdjail.Lack{Controls: gone.has(report.Controls), ClosedFDs: gone.has(report.ClosedFDs)},
		EmptyRootfs: gone.has(report.EmptyRoom), DevfsRules: gone.has(report.DevfsRules), NoSuser: gone.has(report.NoSuser), Capsicum: gone.has(report.Capsicum),
		PrivateRoot: gone.has(report.PrivateRoot), SecureLevel: gone.has(report.Securelevel),
	}
	for _, tree := range plan.Specs[*plan.JailRootfs](p) {
		if gone.has(report.JailLayer) {
			m.Launch.Root = tree.Path
		}
	}
	return m
}

// dropTaps removes those that attempts have made: looking one up by the name /dev/tap makes one
// (tunclone in sys/net/if_tuntap.c). One that was there is let be, and so is one that somebody has
// opened, named or described meanwhile.
func dropTaps(there map[string]bool) {
	for name := range taps() {
		if there[name] {
			continue
		}
		said, err := exec.Command("/sbin/ifconfig", name).Output()
		if err == nil && !strings.Contains(string(said), "Opened by") && !strings.Contains(string(said), "description:") {
			_ = exec.Command("/sbin/ifconfig", name, "destroy").Run()
		}
	}
}

// taps are those of the host.
func taps() map[string]bool {
	all := map[string]bool{}
	links, _ := net.Interfaces()
	for _, l := range links {
		if n, ok := strings.CutPrefix(l.Name, "tap"); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			all[l.Name] = true
		}
	}
	return all
}

// FurnishPeers gives a throwaway host what other sandboxes ask for; here there is none.
func FurnishPeers() error { return errPeers }

// Peers makes the attempts in a cell and in other sandboxes; those that it knows are Linux's.
func Peers(context.Context, Config, ...string) (report.Comparison, error) {
	return report.Comparison{}, errPeers
}

var errPeers = fmt.Errorf("cannot drill other sandboxes: those that are known are Linux's: %w", errors.ErrUnsupported)
