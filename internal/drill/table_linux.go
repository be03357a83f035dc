package drill

import "slices"

// attempts is the whole table, group after group.
func attempts() []Attempt {
	return slices.Concat(fileAttempts)
}
