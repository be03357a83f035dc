package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"skep/internal/kinfo"
)

// lowest is how much of a guest's memory lies below 4 GiB at most; what is more
// is a mapping of its own (vm_setup_memory in lib/libvmmapi/vmmapi.c).
const lowest = 3 << 30

// guest finds the mappings of the guest's memory: of the sizes that the cell
// has, or the largest that can be written to where no cell is known.
func (a *bsdAudit) guest() []int {
	var sizes []uint64
	if a.want != nil && a.want.memory > 0 {
		sizes = append(sizes, min(a.want.memory, lowest))
		if a.want.memory > lowest {
			sizes = append(sizes, a.want.memory-lowest)
		}
	}
	var found []int
	for _, size := range sizes {
		for i, m := range a.Areas {
			if m.To-m.From == size && m.Writable() && m.Type != kinfo.AreaFile && !slices.Contains(found, i) {
				found = append(found, i)
				break
			}
		}
	}
	if len(found) == len(sizes) && len(found) > 0 || a.want != nil {
		if len(found) < len(sizes) {
			return nil
		}
		return found
	}
	at := -1
	for i, m := range a.Areas {
		if m.Writable() && m.Type != kinfo.AreaFile && (at < 0 || m.To-m.From > a.Areas[at].To-a.Areas[at].From) {
			at = i
		}
	}
	if at < 0 {
		return nil
	}
	return []int{at}
}

// guarded: whoever runs over an end of the guest's memory runs into a wall.
// bhyve reserves what is before and behind it with mmap(2)'s MAP_GUARD.
func (a *bsdAudit) guarded() {
	const want = "guard pages on both sides of the guest's memory"
	found := a.guest()
	if len(found) == 0 {
		a.add(GroupEight, "guard-pages", Unknown, want, "no mapping of the guest's size can be seen")
		return
	}
	var open []string
	for _, i := range found {
		m := a.Areas[i]
		if i == 0 || a.Areas[i-1].To != m.From || a.Areas[i-1].Type != kinfo.AreaGuard {
			open = append(open, fmt.Sprintf("none before %#x", m.From))
		}
		if i == len(a.Areas)-1 || a.Areas[i+1].From != m.To || a.Areas[i+1].Type != kinfo.AreaGuard {
			open = append(open, fmt.Sprintf("none behind %#x", m.To))
		}
	}
	guards := 0
	for _, m := range a.Areas {
		if m.Type == kinfo.AreaGuard {
			guards++
		}
	}
	seen := fmt.Sprintf("on both sides of %d MiB; %d guards in all", (a.Areas[found[0]].To-a.Areas[found[0]].From)>>20, guards)
	if len(open) > 0 {
		seen = summary(open)
	}
	a.yes(GroupEight, "guard-pages", want, len(open) == 0, true, seen)
}

// memory: what can be read of it, or left of it.
func (a *bsdAudit) memory() {
	found := a.guest()
	seen := ""
	switch {
	case len(found) == 0:
		seen = "no mapping of the guest's size can be seen"
	case slices.ContainsFunc(found, func(i int) bool { return !a.Areas[i].NoDump }):
		seen = "it is part of them"
	}
	a.yes(GroupMemory, "guest-dump", "the guest's memory is left out of core dumps", seen == "", len(found) > 0, seen)
	var could []string
	for _, m := range a.Areas {
		if m.Executable() && m.Writable() {
			could = append(could, fmt.Sprintf("%#x %s", m.From, m.Path))
		}
	}
	if len(a.Areas) == 0 {
		a.add(GroupMemory, "writable-code", Unknown, "none", "the mappings cannot be read")
	} else {
		a.none(GroupMemory, "writable-code", "none", could)
	}
	a.info(GroupMemory, "kernel-settings", settings(a.Sysctls))
	if len(a.Pax) == 0 {
		a.info(GroupMemory, "pax", "cannot be determined: this kernel has no hardening.pax settings, so it is no HardenedBSD")
	} else {
		a.info(GroupMemory, "pax", settings(a.Pax))
	}
}

// settings lists names with their values.
func settings(all map[string]string) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		words = append(words, k+" = "+all[k])
	}
	return strings.Join(words, ", ")
}
