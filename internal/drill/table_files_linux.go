package drill

import (
	"golang.org/x/sys/unix"
)

var fileAttempts = []Attempt{
	{ID: "open-passwd", Group: groupFiles, Tries: "read a file of the host by its path", Start: true, Do: open("/etc/passwd", unix.O_RDONLY)},
	{ID: "open-bait", Group: groupFiles, Tries: "read a file that everybody may read", Start: true, Do: open(baitFile, unix.O_RDONLY)},
}
