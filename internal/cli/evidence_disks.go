package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"skep/internal/diskdiff"
	"skep/internal/evidence"
	"skep/internal/inside"
	"skep/internal/layout"
)

// maxDiffLines bounds what the page shows of a disk; diff/LABEL.json has all.
const maxDiffLines = 2000

// disks says how the layers of its disks differ from what they lie on. A guest that runs stands still meanwhile.
func (g *gatherer) disks(ctx context.Context) {
	found, _ := filepath.Glob(filepath.Join(g.dirs.StateDir(g.name), layout.LayerPrefix+"*.qcow2"))
	if g.held {
		more, _ := filepath.Glob(filepath.Join(g.dirs.StateDir(g.name), layout.DisposablePrefix+"*.qcow2"))
		found = append(found, more...)
	}
	if len(found) == 0 {
		g.miss("how its disks differ", "none of them is a qcow2 layer that is still there")
		return
	}
	h, err := g.a.readers()
	if err != nil {
		g.miss("how its disks differ", err.Error())
		return
	}
	err = g.a.still(ctx, g.st, g.name, func(bool) error {
		for _, path := range found {
			label := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(filepath.Base(path), layout.LayerPrefix), layout.DisposablePrefix), ".qcow2")
			r, err := diffOf(path, func(l, b *os.File) (diskdiff.Report, error) { return inside.Diff(ctx, h, l, b) })
			if err != nil {
				g.miss("how the disk "+label+" differs", err.Error())
				continue
			}
			g.addJSON("diff/"+label+".json", r)
			if r.Unread != "" {
				g.miss("files of the disk "+label, r.Unread)
			}
			for _, c := range r.Files[:min(len(r.Files), maxDiffLines)] {
				g.page.Diff = append(g.page.Diff, evidence.DiffLine{Disk: label, What: c.What, Path: c.Path, SHA256: c.SHA256})
			}
		}
		return nil
	})
	if err != nil {
		g.miss("how its disks differ", err.Error())
	}
}

// diffOf opens a layer and what is written down to be below it.
func diffOf(path string, diff func(layer, base *os.File) (diskdiff.Report, error)) (r diskdiff.Report, err error) {
	var note struct {
		Base string `json:"base"`
	}
	b, err := os.ReadFile(layout.LayerNote(path))
	if err == nil {
		err = json.Unmarshal(b, &note)
	}
	if err != nil {
		return r, err
	}
	l, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return r, err
	}
	defer l.Close()
	base, err := os.Open(note.Base)
	if err != nil {
		return r, err
	}
	defer base.Close()
	return diff(l, base)
}
