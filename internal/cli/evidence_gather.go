package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skep/internal/audit"
	"skep/internal/events"
	"skep/internal/evidence"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/store"
)

// gatherer collects what goes into an archive.
type gatherer struct {
	a       *app
	dirs    host.Dirs
	st      *store.Store
	name    string
	state   store.State
	held    bool
	items   []evidence.Item
	page    evidence.Page
	missing []evidence.Missing
	journal evidence.Chain
}

func (g *gatherer) miss(what, why string) {
	g.missing = append(g.missing, evidence.Missing{What: what, Why: why})
}

func (g *gatherer) add(name string, b []byte) { g.items = append(g.items, evidence.Bytes(name, b)) }

// gather finds everything. The events come first: they say which run it is, and which files were made of it.
func (g *gatherer) gather(ctx context.Context, run string) error {
	chain, err := g.events(run)
	if err != nil {
		return err
	}
	dir := g.dirs.EvidenceDir(g.name, g.page.Run)
	last := run == "" || run == g.state.Run
	known := map[string]string{} // sums that the chain has of names
	for _, e := range chain {
		if e.SHA256 != "" && e.File != "" {
			known[e.File] = e.SHA256
		}
	}
	for _, f := range []string{layout.EvidenceFile, layout.EvidenceCell, layout.EvidencePlan, layout.EvidenceHost,
		layout.EvidenceAuditStart, layout.EvidenceAuditEnd, layout.EvidenceConsole} {
		g.kept(dir, f, known)
	}
	g.audits()
	g.logs(dir, last, known)
	g.shots(ctx, dir)
	g.dumps(chain)
	if last {
		g.network()
		g.disks(ctx)
	}
	return nil
}

// kept is a file of the run's evidence, or what can still be said in its place.
func (g *gatherer) kept(dir, name string, known map[string]string) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		if name == layout.EvidenceConsole && known[name] != "" && events.Sum(b) != known[name] {
			b = b[:bytes.LastIndexByte(b, '\n')+1]
		}
		g.add(name, b)
		return
	}
	why := "evidence = true was not in the cell file"
	switch name {
	case layout.EvidenceAuditEnd:
		if g.held {
			why = "the cell still runs"
		}
	case layout.EvidenceFile:
		if c := g.state.Cell; c != nil && c.File == "" {
			why = "the cell is built in"
		} else if src, err := os.ReadFile(fileOf(g.dirs, g.name, g.state.File)); err == nil {
			g.add("cell-now.hcl", src)
			why += "; cell-now.hcl is the file as it is now"
		}
	case layout.EvidenceCell:
		if g.state.Cell != nil && g.addJSON("cell-now.json", g.state.Cell) {
			return
		}
	case layout.EvidencePlan:
		if g.state.Plan != nil && g.addJSON("plan-now.json", g.state.Plan) {
			return
		}
	case layout.EvidenceHost:
		if f, err := g.a.probe(context.Background(), false); err == nil && g.addJSON("host-now.json", f) {
			return
		}
	case layout.EvidenceAuditStart:
		g.auditNow()
	}
	g.miss(name, why)
}

func (g *gatherer) addJSON(name string, v any) bool {
	b, err := json.MarshalIndent(v, "", " ")
	if err == nil {
		g.add(name, append(b, '\n'))
	}
	return err == nil
}

// auditNow is an audit of the cell as it runs.
func (g *gatherer) auditNow() {
	if !g.held || g.state.Plan == nil || !keeper.Alive(g.state) {
		return
	}
	if r, err := audit.Cell(g.state); err == nil {
		g.addJSON("audit-now.json", r)
	}
}

// audits are said on the page.
func (g *gatherer) audits() {
	for _, it := range g.items {
		if !strings.HasPrefix(it.Name, "audit-") {
			continue
		}
		r, err := it.Open()
		if err != nil {
			continue
		}
		var rep audit.Report
		err = json.NewDecoder(r).Decode(&rep)
		r.Close()
		if err == nil {
			g.page.Audits = append(g.page.Audits, evidence.Audit{Name: it.Name, OK: rep.OK,
				Text: fmt.Sprintf("%s: %d rows, %d of them bad", rep.Time.UTC().Format(time.RFC3339), len(rep.Rows), len(rep.Bad()))})
		}
	}
}

// events are the lines of the run as they are, and what they say.
func (g *gatherer) events(run string) (chain []events.Event, err error) {
	dir := g.dirs.StateDir(g.name)
	var lines [][]byte
	for _, path := range []string{filepath.Join(dir, layout.EventsOld), filepath.Join(dir, layout.Events)} {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = events.Lines(f, func(b []byte) error { lines = append(lines, bytes.Clone(b)); return nil })
			f.Close()
		}
		if err != nil {
			return nil, fault.Wrap(fault.Host, err, "", "read the events of %s", g.name)
		}
	}
	var of []events.Event
	for _, b := range lines {
		var e events.Event
		_ = json.Unmarshal(b, &e) // one that is torn has no run
		of = append(of, e)
		if run == "" && e.Run != "" {
			g.page.Run = e.Run
		}
	}
	if run != "" {
		g.page.Run = run
	}
	first, end := -1, 0
	for i, e := range of {
		if e.Run == g.page.Run && e.Run != "" {
			if first < 0 {
				first = i
			}
			end = i + 1
		}
	}
	if first < 0 {
		return nil, fault.Cannot(fault.Host, "skep events lists what there is", "find a run of", g.name, "it has no events of one")
	}
	var journal []byte
	for i := first; i < end; i++ {
		journal = append(append(journal, lines[i]...), '\n')
	}
	chain = of[first:end]
	before := chain[0].Prev
	lastSum, n, err := events.Verify(bytes.NewReader(journal), before)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "pack the events of %s: they were changed", g.name)
	}
	g.journal = evidence.Chain{Before: before, Last: lastSum, Lines: n}
	g.add(evidence.JournalName, journal)
	g.page.Events = chain
	return chain, nil
}

// logs are what the console and the hypervisor said: as they were at the end of the run, or as they are.
func (g *gatherer) logs(dir string, last bool, known map[string]string) {
	for _, name := range []string{layout.ConsoleLog, layout.HypervisorLog} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && last {
			b, err = os.ReadFile(filepath.Join(g.dirs.StateDir(g.name), name))
		}
		if err != nil {
			g.miss(name, "it is of a later run by now, or was removed")
			continue
		}
		g.add(name, b)
		if name == layout.ConsoleLog {
			g.page.Console = b[max(0, len(b)-64<<10):]
		}
	}
}

// shots are the pictures of the screen that were kept, and a sheet of them.
func (g *gatherer) shots(ctx context.Context, dir string) {
	found, _ := filepath.Glob(filepath.Join(dir, layout.EvidenceShots, "*.png"))
	if len(found) == 0 {
		g.miss("pictures of the screen", "skep record was not running")
		return
	}
	for _, path := range found {
		name := layout.EvidenceShots + "/" + filepath.Base(path)
		if g.file(name, path) {
			at, _ := shotTime(filepath.Base(path))
			g.page.Pictures = append(g.page.Pictures, evidence.Picture{Name: name, Time: at})
		}
	}
	if sheet, err := g.a.contactSheet(ctx, found); err == nil {
		g.page.Sheet = "contact-sheet.png"
		g.add(g.page.Sheet, sheet)
	} else {
		g.miss("a contact sheet", err.Error())
	}
}

// file adds a file by its path.
func (g *gatherer) file(name, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		g.miss(name, "it is no plain file, or is gone")
		return false
	}
	g.items = append(g.items, evidence.Item{Name: name, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path) }})
	return true
}

// dumps are those that the chain speaks of, where they are still as they were.
func (g *gatherer) dumps(chain []events.Event) {
	n := 0
	for _, e := range chain {
		if e.Kind != events.File || e.Who != "skep dump" {
			continue
		}
		n++
		f, err := os.Open(e.File)
		if err != nil {
			g.miss(e.File, "the dump is not there any more")
			continue
		}
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil || hex.EncodeToString(sum.Sum(nil)) != e.SHA256 {
			g.miss(e.File, "the dump is not as it was made")
			continue
		}
		g.file(fmt.Sprintf("dumps/%02d-%s", n, filepath.Base(e.File)), e.File)
	}
	if n == 0 {
		g.miss("dumps of memory", "skep dump was not used")
	}
}

// network are the records and captures of its networks.
func (g *gatherer) network() {
	dir := g.dirs.StateDir(g.name)
	var found []string
	for _, pattern := range []string{"network*.jsonl", "network*.jsonl.1", "*.pcapng", "*.pcapng.*"} {
		some, _ := filepath.Glob(filepath.Join(dir, pattern))
		found = append(found, some...)
	}
	for _, path := range found {
		g.file("network/"+filepath.Base(path), path)
	}
	if len(found) == 0 {
		g.miss("what its network saw", "it has no network in user space, and capture was not on")
		return
	}
	all, err := eventReader(g.dirs, g.name).Next()
	if err != nil {
		return
	}
	for _, e := range all {
		if e.Kind == events.Network && len(g.page.Events) > 0 && !e.Time.Before(g.page.Events[0].Time) {
			g.page.Events = append(g.page.Events, e)
		}
	}
}
