package keeper

import (
	"skep/internal/host"
)

// rememberRefused notes that KVM fails on what this cell boots.
func rememberRefused(k *Keeper) {
	if sum := BootSum(k.Cell, k.Facts); sum != "" {
		if err := host.RememberRefused(k.Facts.Dirs.State, sum); err != nil {
			k.Notify("cannot remember that: " + err.Error())
		}
	}
}
