package keeper

import (
	"fmt"
	"strings"

	"skep/internal/layer"
)

// Summary is the jail in one line, once the cell is prepared: who the
// hypervisor is, what it can still access, and what is not as the table of
// layers has it.
func (k *Keeper) Summary() string {
	st := k.state
	var b strings.Builder
	fmt.Fprintf(&b, "%s: jailed as uid %d", st.Name, st.UID)
	if st.Accel != "" {
		fmt.Fprintf(&b, " (%s)", st.Accel)
	}
	if r := st.Reach; r != nil {
		fmt.Fprintf(&b, "; accessible: %s", r)
	}
	if st.Jail != nil {
		applied := 0
		var not []string
		for _, d := range st.Jail.Layers {
			switch d.Verdict {
			case layer.Applied, layer.Substituted:
				applied++
			case layer.Missing, layer.NotPrivileged:
				not = append(not, string(d.ID))
			}
		}
		fmt.Fprintf(&b, "; %d layers", applied)
		if len(not) > 0 {
			fmt.Fprintf(&b, ", not applied: %s", strings.Join(not, " "))
		}
	}
	return b.String()
}
