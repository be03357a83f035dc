package cell

import (
	"fmt"
	"strconv"
)

// Size is a number of bytes.
type Size int64

// The units of a Size are powers of 1024, as bhyve(8), zfs(8) and QEMU read
// them.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

// ParseSize reads "512M", "16G", "1T" or "64K". A number without a unit is
// refused: nobody agrees on what it would mean.
func ParseSize(s string) (Size, error) {
	if s == "" {
		return 0, fmt.Errorf("a size is missing")
	}
	unit, digits := Size(0), s[:len(s)-1]
	switch s[len(s)-1] {
	case 'K', 'k':
		unit = KiB
	case 'M', 'm':
		unit = MiB
	case 'G', 'g':
		unit = GiB
	case 'T', 't':
		unit = TiB
	}
	if unit == 0 {
		return 0, fmt.Errorf("%q has no unit: one of K, M, G, T", s)
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number with a unit, such as \"16G\"", s)
	}
	if Size(n) > (1<<62)/unit {
		return 0, fmt.Errorf("%q is more than any machine holds", s)
	}
	return Size(n) * unit, nil
}

// String is the shortest exact form that ParseSize reads, or plain bytes with
// the unit B where no unit divides it.
func (s Size) String() string {
	for _, u := range []struct {
		unit Size
		name string
	}{{TiB, "T"}, {GiB, "G"}, {MiB, "M"}, {KiB, "K"}} {
		if s >= u.unit && s%u.unit == 0 {
			return strconv.FormatInt(int64(s/u.unit), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}
