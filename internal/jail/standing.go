package jail

// Standing is how the kernel runs a process, and how the namespaces that it is
// in are set: what an administrator, or another program with his rights, can
// change from outside while it runs.
type Standing struct {
	Affinity  string `json:"affinity,omitempty"`  // the processors that it may run on: "0-3"
	Scheduler string `json:"scheduler,omitempty"` // policy, nice and real-time priority: "other, nice 0"
	// Settings are the sysctls of its network, IPC and UTS namespaces that the
	// table names; nil where this process may not enter them.
	Settings map[string]string `json:"settings,omitempty"`
}
