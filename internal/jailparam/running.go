package jailparam

// Running is a jail that the kernel knows.
type Running struct {
	JID     int    `json:"jid"`
	Name    string `json:"name"`
	Path    string `json:"path"`    // on the host
	Ruleset int    `json:"ruleset"` // devfs_ruleset; 0 where none was given
	VMM     bool   `json:"vmm"`     // allow.vmm: it may make virtual machines
}
