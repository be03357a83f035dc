package drill

// attempts is the whole table, group after group.
func attempts() []Attempt {
	var all []Attempt
	for _, g := range []struct {
		name string
		rows []Attempt
	}{
		{groupFiles, fileAttempts},
	} {
		for _, a := range g.rows {
			a.Group = g.name
			all = append(all, a)
		}
	}
	return all
}
