package drill

import "skep/internal/layer"

// The layers of a cell on FreeBSD, as By names them.
const (
	privateRoot layer.ID = "private-root"
	emptyRoom   layer.ID = "empty-room"
	devfsRules  layer.ID = "devfs-rules"
	jailLayer   layer.ID = "jail"
	noSuser     layer.ID = "no-suser"
	capsicum    layer.ID = "capsicum"
	controls    layer.ID = "process-controls"
	rlimits     layer.ID = "rlimits"
	rctlLayer   layer.ID = "rctl"
	securelevel layer.ID = "securelevel"
	closedFDs   layer.ID = "closed-fds"
	ownUser     layer.ID = "own-uid"
)

type bsdLayer struct {
	ID   layer.ID
	Does string
}

// bsdLayers says what each does.
var bsdLayers = []bsdLayer{
	{privateRoot, "the root is a tmpfs of the cell's own, mounted read-only"},
	{emptyRoom, "nothing is left in it once bhyve is in capability mode"},
	{devfsRules, "its /dev shows the planned nodes by exact names"},
	{jailLayer, "jail(8): other processes, jails and mounts are out of sight, most privileges of root are refused (prison_priv_check)"},
	{noSuser, "allow.suser is off once the guest runs: user 0 has no privilege at all"},
	{capsicum, "capability mode: no name can be opened, calls of global effect are refused, descriptors keep few rights"},
	{controls, "procctl(2): no memory is writable and executable, set-user-ID means nothing, nobody traces"},
	{rlimits, "limits of descriptors, address space and core files"},
	{rctlLayer, "rctl(8) on the jail: processes, threads, memory, where racct is on"},
	{securelevel, "securelevel 3 in the jail"},
	{closedFDs, "only the planned descriptors are passed on"},
	{ownUser, "a user of its own, who owns nothing on the host; bhyve has one where it opens no file of root's, a worker always"},
}
