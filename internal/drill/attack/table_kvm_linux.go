package attack

// earlyKVM: which requests make a machine depends on the release of QEMU.
const earlyKVM = "the machine is made by such requests; all that they reach is KVM, of which a bug is a way out in the guest's life, too"

// kvmAttempts make requests of KVM that no running guest needs. Its descriptors are open: what is
// behind them is a large part of the kernel, so the filter names each request that may be made.
var kvmAttempts = []Attempt{
	{ID: "kvm-version", Tries: "ask KVM for its version, as at the start",
		Early: earlyKVM, By: "two-phases", Want: "EPERM", Single: singlePhase, Needs: needKVM, Do: request(kvmFD, kvmGetAPIVersion, 0)},
	{ID: "kvm-new-vm", Tries: "make a second machine",
		Early: earlyKVM, By: "two-phases", Want: "EPERM", Single: singlePhase, Needs: needKVM, Do: request(kvmFD, kvmCreateVM, 0)},
	{ID: "kvm-new-vcpu", Tries: "add a processor to its machine",
		Early: earlyKVM, By: "two-phases", Want: "EPERM", Single: singlePhase, Needs: needKVM, Do: request(vmFD, kvmCreateVCPU, 1)},
	{ID: "kvm-device", Tries: "make a device in the kernel",
		Early: earlyKVM, By: "two-phases", Want: "EPERM", Single: singleCall, Needs: needKVM, Do: request(vmFD, kvmCreateDevice, words32(kvmDevTypeInvalid, 0, 0)).pastGate(19, 22)},
	{ID: "kvm-capability", Tries: "switch on a capability of KVM",
		Early: earlyKVM, By: "two-phases", Want: "EPERM", Single: singlePhase, Needs: needKVM, Do: request(vmFD, kvmEnableCap, append(words32(kvmCapInvalid, 0), make([]byte, 96)...)).pastGate(22)},
	{ID: "kvm-debug", Tries: "set break points in the guest",
		Early: earlyKVM, By: "two-phases", Want: "EPERM", Single: singleCall, Needs: needKVM, Do: request(vcpuFD, kvmSetGuestDebug, space(72))},
	{ID: "kvm-cpuid", Tries: "change the processor's features",
		Early: earlyKVM, By: "two-phases", Want: "EPERM", Single: singlePhase, Needs: needKVM, Do: request(vcpuFD, kvmSetCPUID2, words32(0, 0))},
	{ID: "kvm-encrypt", Tries: "reach memory encryption",
		By: "seccomp", Want: "EPERM", Single: singleCall, Needs: needKVM, Do: request(vmFD, kvmMemoryEncrypt, 0).pastGate(25, 22, 14)},
	{ID: "kvm-xen", Tries: "reach KVM's emulation of Xen",
		By: "seccomp", Want: "EPERM", Single: singleCall, Needs: needKVM, Do: request(vmFD, kvmXenHVMConfig, space(56)).pastGate(25, 22)},
	{ID: "kvm-stats", Tries: "open KVM's counters",
		Early: earlyKVM, By: "two-phases", Want: "EPERM", Single: singleCall, Needs: needKVM, Do: request(vmFD, kvmGetStatsFD, 0)},
}
