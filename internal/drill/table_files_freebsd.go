package drill

import "golang.org/x/sys/unix"

// fileAttempts reach for files of the host.
var fileAttempts = []Attempt{
	{ID: "open-passwd", Tries: "read /etc/passwd",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open("/etc/passwd", unix.O_RDONLY)},
}
