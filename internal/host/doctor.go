package host

import (
	"fmt"
	"strings"
)

// Status is how a row of the doctor's report stands.
type Status string

// OK: as it should be. Warn: cells run, with less. Fail: no cell runs, or none
// that skep would call jailed.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Row is one fact of a host with what follows from it.
type Row struct {
	Status      Status `json:"status"`
	Topic       string `json:"topic"`
	Fact        string `json:"fact"`
	Consequence string `json:"consequence"`
	Fix         string `json:"mend,omitempty"` // the command or setting that fixes it
}

// Doctor examines the facts. Pure: what another machine wrote with `skep
// doctor --json` can be read here.
func Doctor(f Facts) []Row {
	var d report
	d.add(OK, "host", fmt.Sprintf("%s %s on %s, %d processors, %s", f.OS, f.Kernel, f.Arch, f.CPUs, gib(f.Memory)), "", "")
	switch {
	case f.Linux != nil:
		d.linux(f)
	case f.FreeBSD != nil:
		d.freebsd(f)
	default:
		d.add(Fail, "host", "skep knows no jail on "+f.OS, "no cell can run", "")
	}
	if c := f.Slots.Clash; c != "" {
		d.add(Fail, "uids", c, fmt.Sprintf("a cell of the range %d-%d, or its worker, would not be alone with its uid", f.Slots.UIDBase, f.Slots.UIDBase+2*f.Slots.Count-1),
			EnvUIDBase+"=NUMBER moves the range")
	}
	if len(f.Bridges) == 0 {
		d.add(OK, "bridges", "none", "a cell whose nic names a bridge needs one; a cell without nic does not", "")
	} else {
		d.add(OK, "bridges", strings.Join(f.Bridges, ", "), "nics can be added to them", "")
	}
	return d.rows
}

// Worst is the worst status of a report.
func Worst(rows []Row) Status {
	worst := OK
	for _, r := range rows {
		switch {
		case r.Status == Fail:
			return Fail
		case r.Status == Warn:
			worst = Warn
		}
	}
	return worst
}

type report struct{ rows []Row }

func (d *report) add(s Status, topic, fact, consequence, fix string) {
	d.rows = append(d.rows, Row{s, topic, fact, consequence, fix})
}

// either adds one of two rows.
func (d *report) either(good bool, topic, yes, soYes string, s Status, no, soNo, fix string) {
	if good {
		d.add(OK, topic, yes, soYes, "")
	} else {
		d.add(s, topic, no, soNo, fix)
	}
}

func gib(n int64) string { return fmt.Sprintf("%.1f GiB of memory", float64(n)/(1<<30)) }
