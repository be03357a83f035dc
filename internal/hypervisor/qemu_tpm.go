package hypervisor

import "skep/internal/cell"

// qemuTPM is the guest's TPM. What it is made of is another process, in a jail of its own: QEMU has one end of
// a pair of sockets.
func qemuTPM(c *cell.Cell, in QEMUInput) []Option {
	if c.TPM == nil {
		return nil
	}
	return []Option{
		{Flag: "-chardev", Value: "socket,id=tpm,fd=" + in.fd(FDTPM), Why: "swtpm, in a jail of its own, is at the other end", Source: "tpm"},
		{Flag: "-tpmdev", Value: "emulator,id=tpm0,chardev=tpm", Why: "what the guest asks of its TPM is swtpm's to answer", Source: "tpm"},
		{Flag: "-device", Value: "tpm-" + c.TPM.Model + ",tpmdev=tpm0,id=tpm0-dev", Why: "the guest's TPM 2.0", Source: "tpm"},
	}
}
