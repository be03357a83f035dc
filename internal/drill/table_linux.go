package drill

// attempts is the whole table.
func attempts() []Attempt {
	return inGroups([]group{
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
	})
}
