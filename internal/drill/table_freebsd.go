package drill

// attempts is the whole table.
func attempts() []Attempt {
	return inGroups([]group{
		{groupFiles, fileAttempts},
		{groupDevices, deviceAttempts},
		{groupMounts, mountAttempts},
		{groupJails, jailAttempts},
		{groupProcesses, processAttempts},
		{groupPrograms, programAttempts},
		{groupMemory, memoryAttempts},
		{groupSockets, socketAttempts},
		{groupKernel, kernelAttempts},
		{groupVMM, vmmAttempts},
		{groupRights, rightsAttempts},
		{groupExhaustion, exhaustionAttempts},
	})
}

// Groups that only FreeBSD has.
const (
	groupJails = "jails"
	groupVMM   = "vmm"
)
