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
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/audit"
	"skep/internal/cell"
	"skep/internal/events"
	"skep/internal/evidence"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/version"
)

// evidenceOptions are the flags of evidence.
type evidenceOptions struct {
	output, run, key, limit string
	force                   bool
}

// evidenceLimit is how large an archive may become unless somebody says otherwise.
const evidenceLimit = 16 * cell.GiB

func (a *app) evidence() *cobra.Command {
	var o evidenceOptions
	cmd := &cobra.Command{
		Use:   "evidence NAME -o FILE.tar",
		Short: "Pack what is known of a run into an archive that can be verified",
		Long: `Pack what is known of a cell's last run into a tar file: its file, plan, host and
audits, its console with times, its events, what its network saw, pictures and
dumps that were made of it, and how its disks differ from their bases, all with
SHA-256 sums, and a page that shows the run: index.html.

With evidence = true in the cell file the plan, the host's facts and an audit are
kept before the guest's first instruction, and another audit at its end. Without
it, what can still be found is packed, and what is missing is named.

--sign KEY signs the manifest with a private key of ssh-keygen's:

    tar -xf FILE.tar manifest.json manifest.json.sig
    ssh-keygen -Y verify -f ALLOWED -I WHO -n skep-evidence \
        -s manifest.json.sig < manifest.json`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.output == "" {
				return usage("skep evidence needs -o FILE.tar")
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err == nil {
				err = a.mustKnow(dirs, name)
			}
			if err != nil {
				return err
			}
			return a.packEvidence(cmd.Context(), dirs, name, o, func() (*os.File, error) { return createNew(o.output, o.force) })
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "the archive, a file that is not there yet")
	f.BoolVarP(&o.force, "force", "f", false, "replace a file that is there")
	f.StringVar(&o.run, "run", "", "the run, where it is not the last: its `id`, as skep events --json has it")
	f.StringVar(&o.key, "sign", "", "sign with this private `key`")
	f.StringVar(&o.limit, "limit", evidenceLimit.String(), "how `large` the archive may become")
	cmd.AddCommand(a.evidenceVerify())
	return cmd
}

func (a *app) evidenceVerify() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:   "verify FILE.tar",
		Short: "Say whether anything in such an archive was changed",
		Long: `Verify an archive that skep evidence has made: every file's sum, the chain of its
events, what the events say of files, and each byte between the files. What was
changed is named, and the status is 1. An archive that somebody has made anew as a
whole is only told by its signature: whose key it is says ssh-keygen -Y verify.`,
		Args: exactArgs(1, "an archive"),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := evidence.VerifyFile(args[0])
			if err != nil {
				return fault.Wrap(fault.Input, err, "", "verify %s", args[0])
			}
			if asProgram {
				if found.Problems == nil {
					found.Problems = []string{}
				}
				if err := a.json(found); err != nil {
					return err
				}
			} else {
				a.sayVerified(args[0], found)
			}
			if n := len(found.Problems); n > 0 {
				if asProgram {
					return shownError{fault.Host}
				}
				return fault.Fail(fault.Host, "", "%s is not as it was made", args[0])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

func (a *app) sayVerified(path string, f evidence.Finding) {
	for _, p := range f.Problems {
		a.printf("%s\n", cell.Printable(p))
	}
	if len(f.Problems) > 0 {
		return
	}
	m := f.Manifest
	a.printf("%s: %d files of %s, run %s, and %d events in a chain are as they were on %s\n", path, len(m.Files), cell.Printable(m.Cell),
		cell.Printable(m.Run), m.Journal.Lines, m.Made.Format(time.RFC3339))
	if f.Key != "" {
		a.printf("signed by %s\n", cell.Printable(f.Key))
	} else {
		a.printf("not signed\n")
	}
}

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

// packEvidence makes the archive in the file that create makes. Where it cannot be made whole, there is none.
func (a *app) packEvidence(ctx context.Context, dirs host.Dirs, name string, o evidenceOptions, create func() (*os.File, error)) (err error) {
	limit, err := cell.ParseSize(o.limit)
	if err != nil {
		return usage("--limit takes a size such as 4G, got %q", o.limit)
	}
	var sign func([]byte) ([]byte, error)
	if o.key != "" {
		key, err := os.ReadFile(o.key)
		if err == nil {
			sign, err = evidence.Signer(key)
		}
		if err != nil {
			return fault.Wrap(fault.Input, err, "ssh-keygen -t ed25519 makes one", "sign with %s", o.key)
		}
	}
	g := &gatherer{a: a, dirs: dirs, st: store.View(dirs), name: name}
	if g.state, g.held, err = g.st.ReadDetail(name); err != nil {
		return fault.Wrap(fault.Host, err, "", "read the state of %s", name)
	}
	if err := g.gather(ctx, o.run); err != nil {
		return err
	}
	m := evidence.Manifest{Version: evidence.Version, Cell: name, Run: g.page.Run, Made: time.Now().UTC(), By: "skep " + version.String(),
		Running: g.held, Missing: g.missing, Journal: g.journal}
	if m.Files, err = evidence.Sum(g.items, int64(limit)); err == nil {
		err = g.addPage(&m, int64(limit))
	}
	if err != nil {
		return evidenceFault(err, name)
	}
	out, err := create()
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, out.Close())
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	if err := evidence.Write(out, m, g.items, sign); err != nil {
		return evidenceFault(err, name)
	}
	if o.output != "" {
		a.printf("%s: %d files of run %s in %s\n", name, len(m.Files), m.Run, o.output)
	}
	for _, miss := range g.missing {
		a.note("not in it: %s: %s", miss.What, miss.Why)
	}
	return nil
}

func evidenceFault(err error, name string) error {
	if errors.Is(err, evidence.ErrLimit) {
		return fault.Wrap(fault.Input, err, "--limit allows more", "pack the evidence of %s", name)
	}
	return fault.Wrap(fault.Host, err, "", "pack the evidence of %s", name)
}

// addPage makes the page, which has all other files in it.
func (g *gatherer) addPage(m *evidence.Manifest, limit int64) error {
	p := g.page
	p.Cell, p.By, p.Made, p.Running, p.Files, p.Missing = m.Cell, m.By, m.Made, m.Running, m.Files, m.Missing
	b, err := p.HTML()
	if err != nil {
		return err
	}
	page := []evidence.Item{evidence.Bytes(evidence.PageName, b)}
	entries, err := evidence.Sum(page, limit)
	g.items, m.Files = slices.Concat(page, g.items), slices.Concat(entries, m.Files)
	return err
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
