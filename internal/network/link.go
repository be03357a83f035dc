package network

// Link is an interface as the kernel shows it.
type Link struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`             // "tap", "bridge"
	Index  int    `json:"index,omitempty"`  // the kernel's number
	Master string `json:"master,omitempty"` // the bridge that it is on
	MTU    int    `json:"mtu"`
	MAC    string `json:"mac"` // its own; the guest's card has another
	// VLANs are those of its bridge's port: "1 pvid untagged, 20".
	VLANs string `json:"vlans,omitempty"`
	Tag   string `json:"tag,omitempty"` // alias on Linux, description on FreeBSD
	Up    bool   `json:"up"`
	// Port is what its bridge and the host do with what passes, but for the VLANs (Linux).
	Port Port `json:"port,omitzero"`
}
