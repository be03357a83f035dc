package disk

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/plan"
)

// checkZvol refuses a volume that the host reads partitions of, and one that
// somebody has open. A volume that is not there is told by open.
func checkZvol(d *plan.Disk) error {
	out, err := exec.Command("/sbin/zfs", "get", "-H", "-o", "value", "volmode", d.Dataset).CombinedOutput()
	if err != nil {
		if _, lerr := exec.LookPath("/sbin/zfs"); lerr != nil {
			return fault.Cannot(fault.Host, "kldload zfs, or use file = …", "use the volume", d.Dataset, "zfs is not installed")
		}
		words, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return bad(d, "zfs list -t volume shows what there is; size = \"20G\" makes it", "%.200s", words)
	}
	mode := strings.TrimSpace(string(out))
	if mode == "default" {
		mode = defaultVolmode()
	}
	if mode != "dev" {
		return bad(d, "zfs set volmode=none "+d.Dataset+", then volmode=dev",
			"its volmode is %s and must be dev, so that the host does not read its partition table", mode)
	}
	if err := waitForNode(d); err != nil {
		return err
	}
	f, err := os.OpenFile(d.Path, os.O_RDONLY|os.O_EXCL|syscall.O_CLOEXEC, 0)
	if errors.Is(err, syscall.EBUSY) {
		return bad(d, "fstat "+d.Path+" shows who; stop the other cell or program", "it is in use by another cell or program")
	}
	if err == nil {
		f.Close()
	}
	return nil
}

// defaultVolmode is what vfs.zfs.vol.mode makes of volmode=default.
func defaultVolmode() string {
	n, err := unix.SysctlUint32("vfs.zfs.vol.mode")
	if err != nil {
		return "default"
	}
	return map[uint32]string{1: "geom", 2: "dev", 3: "none"}[n]
}
