package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skep/internal/background"
	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/store"
	"skep/internal/template"
	"skep/internal/unixsock"
	"skep/internal/version"
)

// makeOptions are the flags of template make.
type makeOptions struct {
	when, as string
	within   time.Duration
}

// making is one template on its way.
type making struct {
	a     *app
	o     makeOptions
	name  string
	of    *cell.Cell
	cell  *cell.Cell // what boots
	facts host.Facts
	st    *store.Store
	kept  *template.Store
	dir   string
}

func (a *app) makeTemplate(ctx context.Context, arg string, o makeOptions) (err error) {
	if !haveTemplates {
		return noTemplates()
	}
	find, err := a.named(arg)
	if err != nil {
		return err
	}
	m := making{a: a, o: o, kept: a.templates()}
	if m.of, err = find(host.Facts{}); err != nil {
		return err
	}
	if m.name = o.as; m.name == "" {
		m.name = m.of.Name
	}
	if err := template.ValidName(m.name); err != nil {
		return err
	}
	if o.within <= 0 {
		return usage("--within must be longer than 0, got %s", o.within)
	}
	if m.of, m.facts, m.st, err = a.ready(ctx, find); err != nil {
		return err
	}
	if err := keepable(m.of); err != nil {
		return err
	}
	lock, err := m.st.LockNamed("template-" + m.name)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "lock the template %s", m.name)
	}
	defer lock.Unlock()
	if m.dir, err = m.kept.Begin(m.name); err != nil {
		return err
	}
	defer func() {
		m.forget()
		if err != nil {
			err = errors.Join(err, m.kept.Remove(m.name))
		}
	}()
	if err := m.prepare(ctx); err != nil {
		return err
	}
	board, err := m.boot(ctx)
	if err != nil {
		return err
	}
	if err := m.keep(board); err != nil {
		return err
	}
	a.printf("%s\n", m.name)
	// Nobody outside can see whether it has one.
	a.note("clones of %s draw the same random numbers where the guest's kernel has no vmgenid driver; in the guest, ls -d /sys/bus/*/drivers/vmgenid says whether it has", m.name)
	return nil
}

// forget removes what is left of the cell that boots, its layers too: they are nobody's but the template's.
func (m *making) forget() {
	if m.cell == nil || m.st.Held(m.cell.Name) {
		return
	}
	_, kept, _ := m.st.Forget(m.cell.Name)
	for _, path := range kept {
		_ = os.Remove(path)
	}
	_ = os.Remove(m.st.StateDir(m.cell.Name))
}

// boot runs the cell until it is ready and kept, and ends it.
func (m *making) boot(ctx context.Context) (board *plan.Template, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := m.a
	ready, late := make(chan error, 1), time.NewTimer(m.o.within)
	defer late.Stop()
	k := keeper.New(keeper.Config{Cell: m.cell, Facts: m.facts, Store: m.st, Foreground: true,
		Notify: func(line string) { a.note("%s", line) },
		Prepared: func(socket string) error {
			conn, err := unixsock.Dial(socket)
			if err != nil {
				return err
			}
			go func() {
				defer conn.Close()
				ready <- m.listen(ctx, conn)
			}()
			return nil
		}})
	stopSignals := background.Signals(k.Kill, k.Kill)
	defer stopSignals()
	type outcome struct {
		out keeper.Outcome
		err error
	}
	over := make(chan outcome, 1)
	go func() {
		out, err := k.Run(ctx)
		over <- outcome{out, err}
	}()
	defer a.slow("booting %s", m.of.Name)()
	end := func() outcome { k.Kill("skep template make"); return <-over }
	select {
	case o := <-over:
		if o.err != nil {
			return nil, o.err
		}
		return nil, fault.New(fault.GuestDied, "", "make the template %s: the guest ended before it was ready: %s", m.name, o.out.Reason)
	case <-late.C:
		cancel()
		end()
		return nil, m.late()
	case err = <-ready:
	}
	if err == nil {
		err = k.Freeze()
	}
	if s, _, derr := m.st.ReadDetail(m.cell.Name); err == nil {
		if err = derr; err == nil && s.Plan != nil {
			for _, t := range plan.Specs[*plan.Template](s.Plan) {
				board = t
			}
			m.cell = m.cell.WithMACs(macsOf(s.Plan))
		}
	}
	o := end()
	switch {
	case err != nil && o.err != nil:
		return nil, o.err
	case err != nil:
		return nil, err
	case board == nil:
		return nil, fault.New(fault.Host, "", "make the template %s: its plan is not known", m.name)
	}
	return board, nil
}

// macsOf are the addresses of a plan's cards.
func macsOf(p *plan.Plan) func(label string) string {
	return func(label string) string {
		for _, t := range plan.Specs[*plan.Tap](p) {
			if t.Label == label {
				return t.MAC
			}
		}
		return ""
	}
}

// late is the error of a guest that was not ready in time.
func (m *making) late() error {
	what := "it was not quiet"
	if m.o.when != "" {
		what = fmt.Sprintf("it has not said %q", m.o.when)
	}
	return fault.New(fault.GuestDied, "--within gives it longer; skep run "+m.of.Name+" shows what it says", "make the template %s: %s within %s", m.name, what, m.o.within)
}

// quiet is for how long a guest says nothing that is ready, where no text is waited for.
const quiet = 5 * time.Second

// listen waits until the guest is ready.
func (m *making) listen(ctx context.Context, console interface {
	io.Reader
	SetReadDeadline(time.Time) error
}) error {
	stop := context.AfterFunc(ctx, func() { _ = console.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var last string // as long as the text that is waited for
	buf := make([]byte, 4096)
	for said := false; ; {
		if said && m.o.when == "" && ctx.Err() == nil {
			_ = console.SetReadDeadline(time.Now().Add(quiet))
		}
		n, err := console.Read(buf)
		said = said || n > 0
		last += string(buf[:n])
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case m.o.when != "" && strings.Contains(last, m.o.when):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && m.o.when == "":
			return nil
		case err != nil:
			return fault.Wrap(fault.GuestDied, err, "", "make the template %s: its console ended", m.name)
		}
		last = last[max(0, len(last)-len(m.o.when)):]
	}
}

// keep has the disks of the cell that has ended become the template's, and writes what it is.
func (m *making) keep(board *plan.Template) error {
	t := &template.Template{Version: template.Version, Name: m.name, Made: time.Now().UTC().Truncate(time.Second),
		Skep: version.String(), Of: m.of.Name, Board: board.Board, When: m.o.when}
	c := *m.cell
	c.Accel, c.Template, c.File, c.NameInFile = cell.Accel(board.Accel), nil, "", ""
	c.Disks = append([]cell.Disk(nil), c.Disks...)
	cannot := func(err error) error {
		return fault.Wrap(fault.Host, err, "df shows how full it is", "keep the template %s", m.name)
	}
	defer m.a.slow("reading the template %s", m.name)()
	for i := range c.Disks {
		d := &c.Disks[i]
		if !d.Layered() {
			continue
		}
		one, err := m.freeze(d)
		if err != nil {
			return cannot(err)
		}
		t.Disks = append(t.Disks, one)
	}
	t.Cell = &c
	if t.Cell.Accel == cell.AccelKVM {
		t.CPU = template.CPU()
	}
	var err error
	if t.RAM, err = template.FileOf(board.RAM(), true); err != nil {
		return cannot(err)
	}
	if t.State, err = template.FileOf(board.State(), true); err != nil {
		return cannot(err)
	}
	if t.QEMU.File, err = template.FileOf(board.QEMU, true); err != nil {
		return cannot(err)
	}
	t.QEMU.Version = m.facts.Linux.QEMU.Version
	return m.kept.Finish(t)
}

// freeze moves a layer into the template.
func (m *making) freeze(d *cell.Disk) (template.Disk, error) {
	one := template.Disk{Label: d.Label, Image: d.Image}
	own := plan.DiskOf(*d, layersOf(m.facts.Dirs, m.cell.Name))
	var note struct {
		Digest string `json:"digest"`
	}
	if err := readJSONFile(layout.LayerNote(own.Path), &note); err != nil {
		return one, err
	}
	one.Digest = note.Digest
	path := filepath.Join(m.dir, layout.TemplateDisk(d.Label, string(own.Format)))
	if err := os.Chmod(own.Path, 0o400); err != nil {
		return one, err
	}
	if err := os.Rename(own.Path, path); err != nil {
		return one, err
	}
	d.Frozen, d.Disposable = path, true
	f, err := os.Open(path)
	if err != nil {
		return one, err
	}
	own.Path = path
	d.Size = disk.SizeIn(own, f)
	err = errors.Join(f.Sync(), f.Close())
	if err != nil {
		return one, err
	}
	if one.Frozen, err = template.FileOf(path, true); err != nil {
		return one, err
	}
	base := d.Base
	if d.Image != "" {
		base = m.facts.Dirs.Image(d.Image)
	}
	one.Base, err = template.FileOf(base, filepath.Dir(base) == m.dir)
	return one, err
}
