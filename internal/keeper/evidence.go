package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"skep/internal/cell"
	"skep/internal/events"
	"skep/internal/layout"
	"skep/internal/plan"
)

// gathered is where a run's evidence lies, "" where the cell file asks for none.
func (k *Keeper) gathered() string {
	if !k.Cell.Evidence || k.state.Run == "" {
		return ""
	}
	return k.Store.EvidenceDir(k.Cell.Name, k.state.Run)
}

// beginEvidence keeps what only now can be said of a run, before the guest's first instruction: what is run,
// on which host, and what an audit finds. The chained events have the sum of each.
func (k *Keeper) beginEvidence(p *plan.Plan) {
	dir := k.gathered()
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		k.Notify("cannot keep evidence: " + err.Error())
		return
	}
	if k.events.watching == nil { // of the first life
		k.keepJSON(dir, layout.EvidenceHost, k.Facts)
		if src, err := readCellFile(k.Cell); err == nil {
			k.keep1(dir, layout.EvidenceFile, src)
		}
	}
	k.keepJSON(dir, layout.EvidenceCell, k.Cell)
	k.keepJSON(dir, layout.EvidencePlan, p)
	k.auditInto(dir, layout.EvidenceAuditStart)
	if k.events.watching == nil {
		ctx, cancel := context.WithCancel(context.Background())
		k.events.watching = cancel
		go watchConsole(ctx, filepath.Join(k.Store.StateDir(k.Cell.Name), layout.ConsoleLog), filepath.Join(dir, layout.EvidenceConsole))
	}
}

// readCellFile is the cell file as it is now.
func readCellFile(c *cell.Cell) ([]byte, error) {
	if !filepath.IsAbs(c.File) {
		return nil, os.ErrNotExist
	}
	return os.ReadFile(c.File)
}

func (k *Keeper) keepJSON(dir, name string, v any) {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		k.Notify("cannot keep evidence: " + err.Error())
		return
	}
	k.keep1(dir, name, append(b, '\n'))
}

// keep1 keeps one file, and writes its sum into the chain.
func (k *Keeper) keep1(dir, name string, b []byte) {
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		k.Notify("cannot keep evidence: " + err.Error())
		return
	}
	k.event(events.Event{Kind: events.File, File: name, SHA256: events.Sum(b)})
}

// auditInto has the live cell looked at from outside.
func (k *Keeper) auditInto(dir, name string) {
	if k.Audit == nil {
		return
	}
	report, ok, err := k.Audit(k.state)
	if err != nil {
		k.event(events.Event{Kind: events.Audit, Reason: "failed: " + err.Error()})
		return
	}
	said := "passed"
	if !ok {
		said = "failed"
	}
	if err := os.WriteFile(filepath.Join(dir, name), report, 0o600); err != nil {
		k.Notify("cannot keep evidence: " + err.Error())
		return
	}
	k.event(events.Event{Kind: events.Audit, Reason: said, File: name, SHA256: events.Sum(report)})
}

// lastAudit is that of a life's end: before its power button is pressed, before it is killed, and once its
// guest has powered off, whichever comes last. The chain has all of them, the file is the last's.
func (k *Keeper) lastAudit() {
	if dir := k.gathered(); dir != "" && k.state.PID != 0 {
		k.auditInto(dir, layout.EvidenceAuditEnd)
	}
}

// Ending is the provisioner's word that the guest has ended and its hypervisor is about to.
func (e env) Ending() {
	if e.k.gathered() != "" {
		done := make(chan struct{})
		select {
		case e.k.ending <- done:
			<-done
		case <-e.k.finished:
		case <-time.After(endingWait):
		}
	}
}

// endingWait bounds the wait for a keeper that is busy.
const endingWait = 5 * time.Second

// consoleLook is how often the console's length is looked at, and maxTimes how much is written of it.
const (
	consoleLook = 250 * time.Millisecond
	maxTimes    = 1 << 20
)

// watchConsole writes down when a console was how long: QEMU writes that log itself, without times.
func watchConsole(ctx context.Context, log, to string) {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	was, wrote := int64(-1), 0
	for wrote < maxTimes {
		if info, err := os.Stat(log); err == nil && info.Size() != was {
			was = info.Size()
			n, err := f.Write(fmt.Appendf(nil, "{\"time\":%q,\"size\":%d}\n", time.Now().UTC().Format(time.RFC3339Nano), was))
			if err != nil {
				return
			}
			wrote += n
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(consoleLook):
		}
	}
}

// endEvidence ends the watching, and writes into the chain what the console's times are.
func (k *Keeper) endEvidence() {
	dir := k.gathered()
	if dir == "" || k.events.watching == nil {
		return
	}
	time.Sleep(consoleLook + consoleLook/2) // for the last words
	k.events.watching()
	if b, err := os.ReadFile(filepath.Join(dir, layout.EvidenceConsole)); err == nil && bytes.HasSuffix(b, []byte("\n")) {
		k.event(events.Event{Kind: events.File, File: layout.EvidenceConsole, SHA256: events.Sum(b)})
	}
	k.keepLast(dir)
}

// keepLast keeps how the console and the hypervisor's words were at the end: later runs write on.
func (k *Keeper) keepLast(dir string) {
	for _, name := range []string{layout.ConsoleLog, layout.HypervisorLog} {
		if b, err := os.ReadFile(filepath.Join(k.Store.StateDir(k.Cell.Name), name)); err == nil {
			k.keep1(dir, name, b)
		}
	}
}
