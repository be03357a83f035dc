package cell

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Differences names what another cell says otherwise, as paths such as "memory"
// or "disk.root.file", in the order of the schema. Names, files and lines are
// not looked at, and neither is what a start has settled itself: where the file
// leaves the accelerator open, one that runs emulated is no other cell.
func (c *Cell) Differences(other *Cell) []string {
	from, to := strip(c), strip(other) // what follows from a difference is none of its own
	if from.Accel == AccelTCG && to.Accel == AccelAuto {
		from.Accel = AccelAuto
	}
	return cellBlock.differ("", &from, &to)
}

// Digest is the same for cells that were written the same, whatever their files
// are called. Cells without a difference have the same digest unless a start has
// settled something.
func (c *Cell) Digest() string {
	bare := *c
	bare.Name, bare.NameInFile, bare.File, bare.Sources = "", "", "", nil
	text, err := json.Marshal(&bare)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// differ names what differs between two blocks.
func (b *block[T]) differ(path string, from, to *T) (names []string) {
	for _, a := range b.attrs {
		if !a.value(from).RawEquals(a.value(to)) {
			names = append(names, under(path, a.name))
		}
	}
	for _, c := range b.blocks {
		names = append(names, c.differ(path, from, to)...)
	}
	return names
}

// differMaybe is differ for a block that is there or not.
func differMaybe[C any](b *block[C], path string, from, to *C) []string {
	switch {
	case from == nil && to == nil:
		return nil
	case from == nil || to == nil:
		return []string{path}
	}
	return b.differ(path, from, to)
}

// differMany is differ for blocks with labels: one on one side only is named as
// a whole, and another order of the same blocks by what they are. A guest counts
// its disks and cards in that order.
func differMany[C any](b *block[C], name, path string, label func(*C) *string, from, to []C) (names []string) {
	index := func(list []C) map[string]int {
		at := map[string]int{}
		for i := range list {
			at[*label(&list[i])] = i
		}
		return at
	}
	old, now := index(from), index(to)
	moved := len(from) == len(to)
	for i := range from {
		l := *label(&from[i])
		j, there := now[l]
		var other *C
		if there {
			other = &to[j]
		}
		names = append(names, differMaybe(b, under(path, name+"."+l), &from[i], other)...)
		moved = moved && there
	}
	for i := range to {
		l := *label(&to[i])
		if _, there := old[l]; !there {
			names = append(names, under(path, name+"."+l))
		}
	}
	if moved {
		for i := range from {
			if now[*label(&from[i])] != i {
				return append(names, under(path, name))
			}
		}
	}
	return names
}
