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

// HostName is the setting that names a UTS namespace.
const HostName = "kernel/hostname"

// StopSignals are those that batch systems, service managers, timeout(1) and
// terminals send to all processes of a group, a session or a control group at
// once. To QEMU each of the first three means "end now", and it installs its
// handlers at its start: ignored ones would be obeyed again. A mask it leaves
// alone, and hands to each of its threads.
var StopSignals = []StopSignal{{"SIGHUP", 1}, {"SIGINT", 2}, {"SIGTERM", 15}, {"SIGQUIT", 3}}

// StopSignal is one of them.
type StopSignal struct {
	Name   string
	Number int
}

// Bit is its place in a set of signals: sigset_t, and SigBlk in /proc.
func (s StopSignal) Bit() uint64 { return 1 << (uint(s.Number) - 1) }
