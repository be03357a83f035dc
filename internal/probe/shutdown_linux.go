package probe

import (
	"context"
	"os"
	"os/exec"
	"time"
)

// ShutdownLimits asks systemd, where it is what runs this host: sd_booted(3).
func ShutdownLimits(ctx context.Context) (limits []ShutdownLimit) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--property=TimeoutStopUSec", "--value", "skep.service").Output()
	if err != nil {
		return nil
	}
	if d, ok := systemdSpan(string(out)); ok && d > 0 {
		limits = append(limits, ShutdownLimit{d, "TimeoutStopSec= of skep.service"})
	}
	return limits
}
