package keeper

import (
	"os"
	"strings"

	"skep/internal/host"
)

// bootID identifies this boot of the kernel: random(4).
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// rememberRefused notes that KVM fails on what this cell boots.
func rememberRefused(k *Keeper) {
	if sum := BootSum(k.Cell, k.Facts); sum != "" {
		if err := host.RememberRefused(k.Facts.Dirs.State, sum); err != nil {
			k.Notify("cannot remember that: " + err.Error())
		}
	}
}
