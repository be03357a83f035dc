package probe

import (
	"strconv"
	"strings"
	"time"
)

// ShutdownLimit is how long the host's own shutdown waits for skep's cells.
type ShutdownLimit struct {
	After time.Duration
	// Name is the setting, for the message.
	Name string
}

// Warning is what there is to say about a cell that may take that long to stop
// on a host with these limits; "" where it has the time. Beyond the
// stop_timeout it takes a moment to force a guest and to release what it held.
func (l ShutdownLimit) Warning(cell string, stop time.Duration) string {
	const moment = 5 * time.Second
	if l.After == 0 || stop+moment <= l.After {
		return ""
	}
	return "this host's shutdown waits " + l.After.String() + " (" + l.Name + "), and " + cell + " may take " +
		stop.String() + " to stop: it would be cut off"
}

// systemdSpan reads a time span as systemctl show prints it, such as
// "1min 30s"; see systemd.time(7). 0 is no limit.
func systemdSpan(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if s == "infinity" {
		return 0, true
	}
	units := map[string]time.Duration{
		"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
	var sum time.Duration
	for _, f := range strings.Fields(s) {
		i := strings.LastIndexAny(f, "0123456789") + 1
		n, err := strconv.ParseFloat(f[:i], 64)
		unit := units[f[i:]]
		if err != nil || unit == 0 {
			return 0, false
		}
		sum += time.Duration(n * float64(unit))
	}
	return sum, sum > 0
}
