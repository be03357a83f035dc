package disk

import (
	"os"
	"os/exec"
	"time"

	"skep/internal/plan"
)

// nodeWait bounds the wait for a zvol's device node, which appears some time
// after the volume does.
const nodeWait = 10 * time.Second

func waitForNode(d *plan.Disk) error {
	if nodeWithin(d, nodeWait) {
		return nil
	}
	return bad(d, "zfs get volmode "+d.Dataset+" must say dev; to set it to none and then to dev brings a lost node back",
		"the volume is there and its device node did not appear within %s", nodeWait)
}

func nodeWithin(d *plan.Disk, wait time.Duration) bool {
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(d.Path); err == nil {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// nodeOfNew waits for the node of a volume that was made just now. OpenZFS shows a new volume to GEOM first and
// does not make the other node where GEOM's has not gone yet, which on FreeBSD 15.1 is the rule; asked again,
// it does.
func nodeOfNew(tool string, d *plan.Disk) error {
	for range 3 {
		if nodeWithin(d, time.Second) {
			return nil
		}
		for _, mode := range []string{"none", "dev"} {
			if out, err := exec.Command(tool, "set", "volmode="+mode, d.Dataset).CombinedOutput(); err != nil {
				return bad(d, "", "its volmode cannot be set: %.200s", out)
			}
		}
	}
	return waitForNode(d)
}
