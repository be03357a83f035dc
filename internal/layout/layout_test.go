package layout

import (
	"slices"
	"testing"
)

// Where each file lies is an interface: of backups, of other versions of skep, and of the documentation.
func TestPaths(t *testing.T) {
	d := Dirs{Config: "/c", State: "/s", Run: "/r"}
	for want, got := range map[string]string{
		"/c/cells/web.hcl":     d.CellFile("web"),
		"/c/cells/lab.hcl":     d.CellFile("lab@3"),
		"/r/cells/lab@3":       d.RunDir("lab@3"),
		"/r/cells/web":         d.RunDir("web"),
		"/s/cells/web":         d.StateDir("web"),
		"/s/cache":             d.Cache(),
		"/r/slots/7":           d.Slot(7),
		"/r/lock":              d.SlotsLock(),
		"/r/locks/web":         d.Lock("web"),
		"/r/locks/web.console": d.ConsoleLock("web"),
		"/r/create.lock":       d.NamedLock("create"),
		"console.starts":       Starts(ConsoleLog),
		"screen.sock":          Socket(Screen),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What is removed is what is listed, so no name may be in both directories, and the journal goes last.
func TestFiles(t *testing.T) {
	run, state := RunFiles(), StateFiles()
	if run[len(run)-1] != Journal {
		t.Errorf("%s is removed after the journal, which would name it", run[len(run)-1])
	}
	for _, f := range run {
		if slices.Contains(state, f) {
			t.Errorf("%s is in both directories", f)
		}
	}
	for _, f := range []string{ConsoleLog, "console.starts", HypervisorLog, KeeperLog, Vars, Last, MACs, Disks} {
		if !slices.Contains(state, f) {
			t.Errorf("%s would stay when a cell is forgotten", f)
		}
	}
}
