package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/events"
	"skep/internal/host"
	"skep/internal/layout"
)

// The page has the events of all cells, the newest first.
func TestServedEvents(t *testing.T) {
	dirs := host.Dirs{State: t.TempDir()}
	for _, name := range []string{"a", "b", "a"} {
		dir := dirs.StateDir(name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		j, err := events.OpenJournal(filepath.Join(dir, layout.Events), filepath.Join(dir, layout.EventsOld), name, "run", nil)
		if err == nil {
			err = j.Append(events.Event{Kind: "state", State: "running"})
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = j.Close()
	}
	all, err := (&served{dirs: dirs}).Events()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(all)
	var got struct{ Events []servedEvent }
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	order := ""
	for _, e := range got.Events {
		order += e.Cell
	}
	if order != "aba" || !strings.Contains(got.Events[0].Text, "running") {
		t.Errorf("%s", text)
	}
}
