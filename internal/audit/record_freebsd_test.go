package audit

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"skep/internal/probe"
	"skep/internal/store"
)

var record = flag.String("record", "", "write what this running cell shows to NAME.json")

// TestRecord writes down what a running cell of this host shows, for
// testdata/freebsd: what judging makes of it is tested on any system.
func TestRecord(t *testing.T) {
	if *record == "" {
		return
	}
	st, _, err := store.View(probe.DirsFor(probe.Options{})).ReadDetail(*record)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := observe(st.PID, programOf(st.Plan))
	if err != nil {
		t.Fatal(err)
	}
	seen.lookUp(st.Plan)
	b, err := json.Marshal(recorded{st, seen})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*record+".json", append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
