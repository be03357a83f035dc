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
		{groupJails, jailAttempts},
		{groupProcesses, processAttempts},
		{groupPrograms, programAttempts},
		{groupMemory, memoryAttempts},
		{groupSockets, socketAttempts},
		{groupKernel, kernelAttempts},
		{groupVMM, vmmAttempts},
		{groupRights, rightsAttempts},
		{groupExhaustion, exhaustionAttempts},
	} {
		for _, a := range g.rows {
			a.Group = g.name
			all = append(all, a)
		}
	}
	return all
}

// Groups that only FreeBSD has.
const (
	groupJails = "jails"
	groupVMM   = "vmm"
)
