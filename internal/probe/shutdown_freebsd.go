package probe

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ShutdownLimits are those of rc.shutdown(8) and of init(8), which ends all
// that rc.shutdown has begun.
func ShutdownLimits(ctx context.Context) (limits []ShutdownLimit) {
	if n, err := unix.SysctlUint32("kern.init_shutdown_timeout"); err == nil && n > 0 {
		limits = append(limits, ShutdownLimit{time.Duration(n) * time.Second, "kern.init_shutdown_timeout"})
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/usr/sbin/sysrc", "-n", "rcshutdown_timeout").Output()
	if err != nil {
		return limits
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(out))); err == nil && n > 0 {
		limits = append(limits, ShutdownLimit{time.Duration(n) * time.Second, "rcshutdown_timeout in rc.conf"})
	}
	return limits
}
