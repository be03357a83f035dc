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

// headStarts: what bhyve opens before it enters capability mode it keeps, and the rows of the start try it.
func headStarts() []Attempt { return nil }

// cardAttempts: no network of this host's cells is in user space, and none is captured.
func cardAttempts() []Attempt { return nil }
