package cli

import (
	"context"
	"os"
	"path/filepath"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/plan"
)

// noTemplates is why there are none on FreeBSD.
func noTemplates() error {
	return fault.New(fault.Host, "an image that was booted once and powered off is what comes nearest", "use templates on this host: FreeBSD's kernel is built without BHYVE_SNAPSHOT")
}

// keepable says why a cell could not be a template: what only one guest can have, or what changes behind it.
func keepable(c *cell.Cell) error {
	bad := func(path, hint, why string, args ...any) error {
		return plan.Located(c, path, fault.Cannot(fault.Input, hint, "make a template of", c.Name, why, args...))
	}
	for _, p := range c.Passthru {
		return bad("passthru."+p.Label, "leave the block out", "a PCI device has a state that nobody can keep")
	}
	for _, s := range c.Shares {
		return bad("share."+s.Label, "files { } shows files that stay as they are", "what is in a share changes while the guest stands still")
	}
	for _, d := range c.Disks {
		switch {
		case d.ReadOnly:
		case d.Zvol != "":
			return bad("disk."+d.Label+".zvol", "file = … or image = …", "disk %q is a volume, which clones could not share", d.Label)
		case d.Device != "":
			return bad("disk."+d.Label+".device", "file = … or image = …", "disk %q is a device of the host's", d.Label)
		}
	}
	for _, r := range c.Results {
		return bad("results."+r.Label, "leave the block out", "a disk for results belongs to one guest")
	}
	if c.TPM != nil {
		return bad("tpm", "leave the block out", "a TPM belongs to one guest: all clones would have its keys")
	}
	if c.GDB != nil {
		return bad("gdb", "leave the block out", "its debugger would be in all clones")
	}
	return nil
}

// prepare makes the cell that boots, with disks that are nobody else's.
func (m *making) prepare(ctx context.Context) error {
	c := m.of.Renamed(m.name + "@make")
	c.Template = &cell.TemplateRef{Name: m.name, Dir: m.dir, Make: true}
	c.Restart, c.After, c.Start = cell.RestartNever, nil, cell.StartManual
	if c.Screen != nil && c.Screen.Listen != "" {
		s := *c.Screen
		s.Listen, s.PasswordFile = "", ""
		c.Screen = &s
	}
	m.cell = c
	m.forget() // what one that was cut off has left
	if err := m.st.MakeStateDir(c.Name); err != nil {
		return err
	}
	c.Disks = append([]cell.Disk(nil), c.Disks...)
	for i, d := range c.Disks {
		if d.ReadOnly || d.ISO != "" {
			continue
		}
		own, err := m.disk(ctx, d)
		if err != nil {
			return err
		}
		c.Disks[i] = own
	}
	return m.vars(ctx)
}

// disk is what a disk is while the template boots: a layer on a copy of it, or on what it lies on itself.
func (m *making) disk(ctx context.Context, d cell.Disk) (cell.Disk, error) {
	if d.Layered() {
		own := plan.DiskOf(d, layersOf(m.facts.Dirs, m.of.Name))
		d.Disposable = false
		if own.Disposable || !exists(own.Path) {
			return d, nil
		}
		// What the cell has written so far: the layer is copied, and lies on the same.
		path := plan.DiskOf(d, layersOf(m.facts.Dirs, m.cell.Name)).Path
		file := *own
		file.Layer = false
		if err := m.a.copyNow(ctx, m.st, &file, path, true, m.of.Jail.AllowMissing); err != nil {
			return d, err
		}
		note, err := os.ReadFile(layout.LayerNote(own.Path))
		if err == nil {
			err = os.WriteFile(layout.LayerNote(path), note, 0o600)
		}
		if err != nil {
			return d, fault.Wrap(fault.Host, err, "", "copy disk %q", d.Label)
		}
		return d, nil
	}
	base := filepath.Join(m.dir, layout.TemplateBase(d.Label, string(formatOf(d))))
	if !exists(d.File) && d.Size > 0 {
		base = filepath.Join(m.dir, layout.TemplateBase(d.Label, string(cell.FormatRaw)))
		d.Format = cell.FormatRaw
		err := os.WriteFile(base, nil, 0o600)
		if err == nil {
			err = os.Truncate(base, int64(d.Size))
		}
		if err != nil {
			return d, fault.Wrap(fault.Host, err, "", "make disk %q", d.Label)
		}
	} else if err := m.a.copyNow(ctx, m.st, plan.DiskOf(d, layersOf(m.facts.Dirs, m.of.Name)), base, true, m.of.Jail.AllowMissing); err != nil {
		return d, err
	}
	return cell.Disk{Label: d.Label, Base: base, Format: formatOf(d), Model: d.Model}, nil
}

func formatOf(d cell.Disk) cell.DiskFormat {
	if d.Format == "" {
		return cell.FormatRaw
	}
	return d.Format
}

// vars copies the cell's UEFI variables, where there are some.
func (m *making) vars(ctx context.Context) error {
	from := filepath.Join(m.st.StateDir(m.of.Name), layout.VarsOf(m.of.SecureBoot))
	if m.of.Boot.Kind != cell.BootUEFI || !exists(from) {
		return nil
	}
	d := &plan.Disk{Label: varsName, Type: plan.DiskFile, Path: from, Format: cell.FormatRaw}
	return m.a.copyNow(ctx, m.st, d, filepath.Join(m.st.StateDir(m.cell.Name), layout.VarsOf(m.of.SecureBoot)), true, m.of.Jail.AllowMissing)
}
