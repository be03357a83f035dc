// Package usage says what a running cell uses of its host: processor, memory, disk and network, as the kernel
// counts them for its hypervisor and its taps.
package usage

// A Use is what a cell has used since its hypervisor started, and its memory now. What a host does not count is 0.
type Use struct {
	CPU     float64 `json:"cpu_seconds"`
	Memory  int64   `json:"memory_bytes"` // of the hypervisor, with the guest's memory that was touched
	Read    int64   `json:"disk_read_bytes"`
	Written int64   `json:"disk_written_bytes"`
	In      int64   `json:"network_received_bytes"` // by the guest
	Out     int64   `json:"network_sent_bytes"`
}

// Of is what a hypervisor and its taps use.
func Of(pid int, taps []string) (Use, error) {
	u, err := ofProcess(pid)
	if err != nil {
		return u, err
	}
	for _, tap := range taps {
		in, out := ofTap(tap)
		u.In += in
		u.Out += out
	}
	return u, nil
}
