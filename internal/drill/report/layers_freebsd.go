package report

import "skep/internal/layer"

// The layers of a cell on FreeBSD, as By names them.
const (
	PrivateRoot layer.ID = "private-root"
	EmptyRoom   layer.ID = "empty-room"
	DevfsRules  layer.ID = "devfs-rules"
	JailLayer   layer.ID = "jail"
	NoSuser     layer.ID = "no-suser"
	Capsicum    layer.ID = "capsicum"
	Controls    layer.ID = "process-controls"
	Rlimits     layer.ID = "rlimits"
	RctlLayer   layer.ID = "rctl"
	Securelevel layer.ID = "securelevel"
	ClosedFDs   layer.ID = "closed-fds"
	OwnUser     layer.ID = "own-uid"
)

type Layer struct {
	ID   layer.ID
	Does string
}

// Layers says what each does.
var Layers = []Layer{
	{PrivateRoot, "the root is a tmpfs of the cell's own, mounted read-only"},
	{EmptyRoom, "nothing is left in it once bhyve is in capability mode"},
	{DevfsRules, "its /dev shows the planned nodes by exact names"},
	{JailLayer, "jail(8): other processes, jails and mounts are out of sight, most privileges of root are refused (prison_priv_check)"},
	{NoSuser, "allow.suser is off once the guest runs: user 0 has no privilege at all"},
	{Capsicum, "capability mode: no name can be opened, calls of global effect are refused, descriptors keep few rights"},
	{Controls, "procctl(2): no memory is writable and executable, set-user-ID means nothing, nobody traces"},
	{Rlimits, "limits of descriptors, address space and core files"},
	{RctlLayer, "rctl(8) on the jail: processes, threads, memory, where racct is on"},
	{Securelevel, "securelevel 3 in the jail"},
	{ClosedFDs, "only the planned descriptors are passed on"},
	{OwnUser, "a user of its own, who owns nothing on the host; bhyve has one where it opens no file of root's, a worker always"},
}
