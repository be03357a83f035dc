package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/drill/attack"
	"skep/internal/drill/report"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
	"skep/internal/plan"
)

// Ablate measures which layers stop which attempt. Without layers the attempts do succeed: it is to
// be run where that can do no harm, in a throwaway host (see Apart).
func Ablate(ctx context.Context, cfg Config) (m report.Matrix, err error) {
	began := time.Now()
	cfg.Hidden = true
	d := &drill{Config: cfg, measuring: true}
	m = report.Matrix{Version: report.Version, Time: began.UTC(), Unbuilt: map[layer.ID]string{}, Unapplied: map[layer.ID]string{}}
	err = d.set(ctx, func(ctx context.Context) error { return d.ablate(ctx, &m) })
	m.Took = time.Since(began)
	return m, err
}

// ablate measures one place after the other.
func (d *drill) ablate(ctx context.Context, m *report.Matrix) error {
	full := d.harness.Spec.Layers
	if err := d.ablateScene(ctx, m, report.SceneHypervisor, full, d.measure); err != nil {
		return err
	}
	if d.harness.Worker == nil {
		return nil
	}
	spec, err := d.harness.Worker(nil)
	if err != nil {
		return err
	}
	return d.ablateScene(ctx, m, report.SceneWorker, spec.Layers, d.measureWorker)
}

// ablateScene measures which of these layers stop what an attacker in that place tries.
func (d *drill) ablateScene(ctx context.Context, m *report.Matrix, scene string, full []layer.Decision, measure func(context.Context, []layer.ID) (attack.Outcomes, error)) error {
	measured := map[string]attack.Outcomes{}
	with := func(ids []layer.ID) (attack.Outcomes, error) {
		key := fmt.Sprint(ids)
		if o, ok := measured[key]; ok {
			return o, nil
		}
		o, err := measure(ctx, ids)
		if err == nil {
			measured[key] = o
		}
		return o, err
	}
	note := func(id layer.ID, why string) {
		if scene != report.SceneHypervisor {
			why = "in the " + scene + "'s place: " + why
		}
		m.Unbuilt[id] = strings.TrimPrefix(m.Unbuilt[id]+"; "+why, "; ")
	}
	bare, err := with(nil)
	if err != nil {
		return fmt.Errorf("without any layer: %w", err)
	}
	first := len(m.Rows)
	for _, a := range attack.All() {
		if o, ok := bare[a.ID]; ok {
			m.Rows = append(m.Rows, report.MatrixRow{ID: a.ID, Scene: scene, Group: a.Group, Tries: a.Tries, Open: !o.Stopped, Bare: o.How, Single: a.Single, Alone: []layer.ID{},
				Table: a.Layers(), NoControl: a.Uncontrolled(o)})
		}
	}
	for _, l := range layer.Table {
		if !layer.On(full, l.ID) {
			if scene == report.SceneHypervisor {
				m.Unapplied[l.ID] = detail(full, l.ID)
			}
			continue
		}
		if d.Progress != nil {
			d.Progress(report.Row{ID: string(l.ID), Scene: scene})
		}
		base, err := with(prerequisites[l.ID])
		var alone attack.Outcomes
		if err == nil {
			alone, err = with(append(slices.Clone(prerequisites[l.ID]), l.ID))
		}
		if err != nil {
			note(l.ID, "alone: "+err.Error())
		}
		rest, rerr := with(allBut(full, append(dependents(l.ID), l.ID)))
		if rerr != nil {
			note(l.ID, "without it: "+rerr.Error())
		}
		if ctx.Err() != nil {
			return fmt.Errorf("layer %s: %w", l.ID, cmp.Or(err, rerr, context.Cause(ctx)))
		}
		for i := first; i < len(m.Rows); i++ {
			r := &m.Rows[i]
			if was, ok := base[r.ID]; ok && err == nil && !was.Stopped && alone[r.ID].Stopped {
				r.Alone = append(r.Alone, l.ID)
			}
			if o, ok := rest[r.ID]; ok && !o.Stopped {
				r.Needed = append(r.Needed, l.ID)
			}
		}
	}
	for i := first; i < len(m.Rows); i++ {
		settle(&m.Rows[i])
	}
	return nil
}

func detail(decisions []layer.Decision, id layer.ID) string {
	for _, d := range decisions {
		if d.ID == id {
			return string(d.Verdict) + ", " + d.Detail
		}
	}
	return "not decided"
}

func allBut(decisions []layer.Decision, gone []layer.ID) []layer.ID {
	var ids []layer.ID
	for _, d := range decisions {
		if d.Verdict == layer.Applied && !slices.Contains(gone, d.ID) {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// measure makes every attempt with just these layers.
func (d *drill) measure(ctx context.Context, ids []layer.ID) (attack.Outcomes, error) {
	spec, undo, err := d.only(ids)
	if err != nil {
		return nil, err
	}
	defer undo()
	d.stacks = nil
	return attack.Measured(ctx, attack.All(), func(ctx context.Context) (*attack.Fixture, error) { return d.arriveAgain(ctx, spec) })
}

// measureWorker makes every attempt in the worker's place, with just these layers.
func (d *drill) measureWorker(ctx context.Context, ids []layer.ID) (attack.Outcomes, error) {
	d.stacks = nil
	return attack.Measured(ctx, attack.All(), func(ctx context.Context) (*attack.Fixture, error) {
		return d.inWorker(ctx, func(spec *linuxjail.Spec) error { return d.lessen(spec, ids) })
	})
}

// arriveAgain waits for processes of the attacker before to be gone from the control group.
func (d *drill) arriveAgain(ctx context.Context, spec linuxjail.Spec) (s *attack.Fixture, err error) {
	for range 100 {
		if s, err = d.arrive(ctx, spec, report.PhaseRun); !errors.Is(err, unix.EAGAIN) || ctx.Err() != nil {
			break
		}
		time.Sleep(30 * time.Millisecond)
	}
	return s, err
}

// only is the spec with just these layers. undo puts limits of control groups back.
func (d *drill) only(ids []layer.ID) (spec linuxjail.Spec, undo func(), err error) {
	spec = d.harness.Spec
	if err = d.lessen(&spec, ids); err != nil {
		return spec, nil, err
	}
	on := func(id layer.ID) bool { return slices.Contains(ids, id) }
	if on(layer.RLimits) {
		// The attacker needs no more of it in the start, and the caller may not set it later where the
		// cell has no user namespace.
		spec.Limits = append(slices.Clone(spec.Limits), d.harness.Bound)
	}
	undo, err = d.ungroup(&spec, on)
	return spec, undo, err
}

// lessen takes every other layer out of a spec.
func (d *drill) lessen(spec *linuxjail.Spec, ids []layer.ID) error {
	for _, l := range layer.Table {
		if !slices.Contains(ids, l.ID) {
			spec.Layers = layer.Without(spec.Layers, l.ID)
		}
	}
	on := func(id layer.ID) bool { return slices.Contains(ids, id) }
	if on(layer.PrivateRoot) && !on(layer.MountNamespace) {
		return fmt.Errorf("a private root without a mount namespace would be the host's own root")
	}
	if !on(layer.PrivateRoot) {
		// There is no rootfs: the program lies where the host has it.
		spec.Root.Files = slices.Clone(spec.Root.Files)
		for i, f := range spec.Root.Files {
			if f.Inside == spec.Path {
				spec.Root.Files[i].Inside = jail.RootfsPath(d.bait.Program)
			}
		}
		spec.Path = jail.RootfsPath(d.bait.Program)
	}
	if !on(layer.WXSeccomp) {
		spec.Policy.Rows = append(slices.Clone(spec.Policy.Rows),
			seccomp.Row{Call: "mmap", Reason: "the layer is missing on purpose"}, seccomp.Row{Call: "mprotect", Reason: "the layer is missing on purpose"})
	}
	return nil
}

// ungroup leaves the control groups of missing layers out: those of v1 by not joining them, the one
// of v2, which holds all of the cell, by lifting its limits for so long.
func (d *drill) ungroup(spec *linuxjail.Spec, on func(layer.ID) bool) (undo func(), err error) {
	layers := map[string]layer.ID{"memory": layer.CgroupMemory, "pids": layer.CgroupPids, "cpu": layer.CgroupCPU}
	var undos []func()
	spec.Cgroups.V1Procs = nil
	for _, g := range plan.Specs[*plan.Cgroup](d.harness.Plan) {
		if g.Tree != "v2" {
			if on(layers[g.Tree]) {
				spec.Cgroups.V1Procs = append(spec.Cgroups.V1Procs, g.Path+"/cgroup.procs")
			}
			continue
		}
		for _, l := range g.Limits {
			controller, _, _ := strings.Cut(l.File, ".")
			path := filepath.Join(g.Path, l.File)
			if on(layers[controller]) || !strings.HasSuffix(l.File, ".max") {
				continue
			}
			if err := os.WriteFile(path, []byte("max"), 0); err == nil {
				undos = append(undos, func() { _ = os.WriteFile(path, []byte(l.Value), 0) })
			}
		}
	}
	return func() {
		for _, u := range undos {
			u()
		}
	}, nil
}
