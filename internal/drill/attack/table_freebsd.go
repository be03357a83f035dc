package attack

// All is the whole table.
func All() []Attempt {
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

// HeadStarts: what bhyve opens before it enters capability mode it keeps, and the rows of the start try it.
func HeadStarts() []Attempt { return nil }

// CardAttempts: nobody is brought into the place of a network's or a capture's process here.
func CardAttempts() []Attempt { return nil }

// TpmAttempts: no cell of this host has a TPM.
func TpmAttempts() []Attempt { return nil }
