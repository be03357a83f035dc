package disk

import (
	"os"
	"time"

	"skep/internal/plan"
)

// nodeWait bounds the wait for a zvol's device node, which appears some time
// after the volume does.
const nodeWait = 10 * time.Second

func waitForNode(d *plan.Disk) error {
	deadline := time.Now().Add(nodeWait)
	for time.Now().Before(deadline) {
		if _, err := os.Stat(d.Path); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return bad(d, "zfs get volmode "+d.Dataset+" must say dev; zpool export and import brings a lost node back",
		"the volume is there and its device node did not appear within %s", nodeWait)
}
