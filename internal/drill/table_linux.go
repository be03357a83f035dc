package drill

// attempts is the whole table, group after group.
func attempts() []Attempt {
	var all []Attempt
	for _, g := range []struct {
		name string
		rows []Attempt
	}{
		{groupFiles, fileAttempts},
		{groupDevices, deviceAttempts},
		{groupMounts, mountAttempts},
		{groupNamespaces, namespaceAttempts},
		{groupProcesses, processAttempts},
		{groupPrograms, programAttempts},
		{groupMemory, memoryAttempts},
		{groupSockets, socketAttempts},
		{groupKernel, kernelAttempts},
		{groupKVM, kvmAttempts},
		{groupRights, rightsAttempts},
		{groupCells, cellAttempts},
		{groupExhaustion, exhaustionAttempts},
		{groupSecrets, secretAttempts},
	} {
		for _, a := range g.rows {
			a.Group = g.name
			all = append(all, a)
		}
	}
	return all
}
