package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/inside"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/results"
	"skep/internal/store"
	"skep/internal/taskdir"
)

// runTask runs a cell once. What came of it lands where it was asked for, and is forgotten here where that was.
func (a *app) runTask(ctx context.Context, dirs host.Dirs, c *cell.Cell, o runOptions) error {
	var task *taskdir.Task
	if o.results != "" {
		var err error
		task, err = taskdir.Claim(o.results, c.Name, o.jobFacts())
		if errors.Is(err, taskdir.ErrDone) {
			a.note("%s has run already: %s is there", c.Name, filepath.Join(o.results, c.Name))
			return nil
		}
		if err != nil {
			return err
		}
		defer task.Drop()
	}
	began := time.Now().UTC()
	ran, err := a.runCell(ctx, func(host.Facts) (*cell.Cell, error) { return c, nil }, o)
	whole, run := false, ""
	if ran && task != nil {
		out := taskdir.Outcome{Job: o.jobFacts(), Began: began, Ended: time.Now().UTC(), Status: int(statusOf(err))}
		if s, _, serr := store.View(dirs).ReadState(c.Name); serr == nil && c.Evidence {
			run = s.Run
		}
		var lerr error
		if whole, lerr = a.land(context.WithoutCancel(ctx), dirs, c, task, out); lerr != nil && err == nil {
			err = lerr
		} else if lerr != nil {
			a.fail(lerr)
		}
	}
	if !o.rm || fault.CodeOf(err) == fault.Busy { // another run's
		return err
	}
	if ferr := a.forgetRun(ctx, dirs, c.Name); ferr != nil && err == nil {
		return ferr
	}
	if whole {
		err = errors.Join(err, removeLanded(dirs, c, run))
	}
	return err
}

// statusOf is the exit status of a run, also of one whose end was said already.
func statusOf(err error) fault.Code {
	var shown shownError
	if errors.As(err, &shown) {
		return shown.code
	}
	return fault.CodeOf(err)
}

// land writes what came of a task: its console, what its guest has brought out, its evidence, and how it ended. whole says that
// all that the guest has brought out is there.
func (a *app) land(ctx context.Context, dirs host.Dirs, c *cell.Cell, task *taskdir.Task, out taskdir.Outcome) (whole bool, err error) {
	if s, _, err := store.View(dirs).ReadState(c.Name); err == nil {
		out.End, out.Reason, out.Digest = s.End, s.Reason, s.CellDigest
	}
	wrong := copyConsole(dirs, c.Name, task.Root)
	for _, r := range c.Results {
		report, err := a.landResults(ctx, dirs, c, r, task.Root, len(c.Results) > 1)
		out.Files, out.Bytes, out.LeftOut = out.Files+report.Files, out.Bytes+report.Size, out.LeftOut+report.LeftOut
		if err == nil && report.More != "" {
			err = fault.Fail(fault.Host, "", "the results of %s are not complete: left out is %s", c.Name, cell.Printable(report.More))
		}
		wrong = errors.Join(wrong, err)
	}
	if c.Evidence {
		wrong = errors.Join(wrong, a.landEvidence(ctx, dirs, c.Name, task.Root))
	}
	if wrong != nil {
		out.Error = cell.Printable(wrong.Error())
	}
	if err := task.Publish(out); err != nil {
		return false, err
	}
	return wrong == nil, wrong
}

// copyConsole copies the log of the console, which is bounded.
func copyConsole(dirs host.Dirs, name string, to *os.Root) error {
	from, err := os.Open(filepath.Join(dirs.StateDir(name), layout.ConsoleLog))
	if err != nil {
		return fault.Wrap(fault.Host, unwrapPath(err), "", "read the console's log of %s", name)
	}
	defer from.Close()
	f, err := to.OpenFile(layout.ConsoleLog, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = io.Copy(f, from)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fault.Wrap(fault.Host, unwrapPath(err), "", "write the console's log of %s", name)
	}
	return nil
}

// landEvidence packs what is known of the run, before it is forgotten.
func (a *app) landEvidence(ctx context.Context, dirs host.Dirs, name string, to *os.Root) error {
	return a.packEvidence(ctx, dirs, name, evidenceOptions{limit: evidenceLimit.String()}, func() (*os.File, error) {
		f, err := to.OpenFile(layout.EvidenceArchive, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, fault.Wrap(fault.Host, unwrapPath(err), "", "write the evidence of %s", name)
		}
		return f, nil
	})
}

// landResults brings out one disk of results, into "results", or "results/LABEL" where there are several.
func (a *app) landResults(ctx context.Context, dirs host.Dirs, c *cell.Cell, r cell.Results, to *os.Root, several bool) (results.Report, error) {
	var report results.Report
	d, err := resultsDisk(dirs, c, r.Label)
	if err != nil {
		return report, err
	}
	b, err := resultsFlags{files: results.DefFiles}.bounds(d)
	if err != nil {
		return report, err
	}
	sub := "results"
	if several {
		sub = filepath.Join(sub, r.Label)
	}
	if err := to.MkdirAll(sub, 0o700); err != nil {
		return report, fault.Wrap(fault.Host, unwrapPath(err), "", "write the results of %s", c.Name)
	}
	dir, err := to.OpenRoot(sub)
	if err != nil {
		return report, fault.Wrap(fault.Host, unwrapPath(err), "", "write the results of %s", c.Name)
	}
	defer dir.Close()
	st, err := store.Open(dirs)
	if err != nil {
		return report, err
	}
	lock, err := st.LockCell(c.Name)
	if err != nil {
		return report, err
	}
	defer lock.Unlock()
	return a.readResults(ctx, c, d, b, results.Dir{Root: dir}, true)
}

// readResults reads a disk of results in a jail.
func (a *app) readResults(ctx context.Context, c *cell.Cell, d *plan.Disk, b results.Bounds, sink results.Sink, locked bool) (results.Report, error) {
	src, err := disk.OpenForCopy(d, locked)
	if err != nil {
		return results.Report{}, err
	}
	defer src.Close()
	h, err := a.readers()
	if err != nil {
		return results.Report{}, err
	}
	h.AllowMissing = c.Jail.AllowMissing
	report, err := inside.Results(ctx, h, src, d.Results, b, sink)
	if err != nil {
		return report, fault.Wrap(fault.Host, err, "", "bring out the results of %s", c.Name)
	}
	return report, nil
}

// removeLanded removes disks of results whose content has landed, the evidence of a run that has, and the directory
// that held nothing else.
func removeLanded(dirs host.Dirs, c *cell.Cell, run string) error {
	var errs []error
	if run != "" {
		dir := dirs.EvidenceDir(c.Name, run)
		if err := os.RemoveAll(dir); err != nil {
			errs = append(errs, fault.Wrap(fault.Host, unwrapPath(err), "", "remove the evidence of %s", c.Name))
		}
		_ = os.Remove(filepath.Dir(dir)) // other runs may have theirs there
	}
	for _, r := range c.Results {
		if err := os.Remove(dirs.Results(c.Name, r.Label)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fault.Wrap(fault.Host, unwrapPath(err), "", "remove the results disk of %s", c.Name))
		}
	}
	_ = os.Remove(dirs.StateDir(c.Name)) // it may hold layers
	return errors.Join(errs...)
}
