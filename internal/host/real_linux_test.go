package host

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

func TestScratch(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dirs: Dirs{State: dir}}
	for range 4 {
		t0 := time.Now()
		f, err := Probe(t.Context(), o)
		t.Log(time.Since(t0), err)
		b, _ := json.MarshalIndent(f, "", " ")
		os.WriteFile("/tmp/facts-host.json", b, 0o644)
	}
}

func BenchmarkProbeWarm(b *testing.B) {
	o := Options{Dirs: Dirs{State: b.TempDir()}}
	for b.Loop() {
		if _, err := Probe(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
