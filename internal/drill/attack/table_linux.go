package attack

// All is the whole table. Each row is tried in the start and in the guest's life.
func All() []Attempt {
	all := inGroups([]group{
		{groupFiles, fileAttempts},
		{groupLayers, layerAttempts},
		{groupTemplates, templateAttempts},
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
	for i := range all {
		all[i].Start = true
	}
	return all
}

// handedAttempts: what a worker holds here are sockets, pipes and a log, which the other attempts try.
func handedAttempts() []Attempt { return nil }
