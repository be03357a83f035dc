package probe

import (
	"strings"
	"testing"
	"time"
)

func TestSystemdSpan(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"1min 30s\n": 90 * time.Second, "10min": 10 * time.Minute, "infinity": 0, "1h 5min 3.500s": time.Hour + 5*time.Minute + 3500*time.Millisecond,
		"45s": 45 * time.Second, "2d": 48 * time.Hour,
	} {
		if got, ok := systemdSpan(in); !ok || got != want {
			t.Errorf("%q is %s, %v; want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "[not set]", "90", "s", "5 parsecs"} {
		if got, ok := systemdSpan(in); ok {
			t.Errorf("%q is %s", in, got)
		}
	}
}

func TestShutdownWarning(t *testing.T) {
	l := ShutdownLimit{90 * time.Second, "TimeoutStopSec= of skep.service"}
	if w := l.Warning("db", 80*time.Second); w != "" {
		t.Errorf("80 s of 90 s: %s", w)
	}
	if w := l.Warning("db", 2*time.Minute); !strings.Contains(w, "1m30s") || !strings.Contains(w, "db may take 2m0s") {
		t.Errorf("2 min of 90 s: %q", w)
	}
	if w := (ShutdownLimit{}).Warning("db", time.Hour); w != "" {
		t.Errorf("without a limit: %s", w)
	}
}
