package attack

import (
	"golang.org/x/sys/unix"

	"skep/internal/cell"
)

// Requests of KVM, as <linux/kvm.h> has them.
const (
	kvmGetAPIVersion  = 0xae00
	kvmCreateVM       = 0xae01
	kvmCreateVCPU     = 0xae41
	kvmCreateDevice   = 0xc00caee0
	kvmGetDeviceAttr  = 0x4018aee2
	kvmSetGuestDebug  = 0x4048ae9b
	kvmMemoryEncrypt  = 0xc008aeba
	kvmEnableCap      = 0x4068aea3
	kvmSetCPUID2      = 0x4008ae90
	kvmGetStatsFD     = 0xaece
	kvmHypervEventFD  = 0x4018aebd
	kvmX86SetMCE      = 0x4040ae9e
	kvmGetRegs        = 0x8090ae81
	kvmSetTSSAddr     = 0xae47
	kvmCreateIRQChip  = 0xae60
	kvmXenHVMConfig   = 0x4038ae7a
	kvmCapInvalid     = 0x7fffffff
	kvmDevTypeInvalid = 0x7fffffff
)

// A machine is the descriptors that a hypervisor holds of KVM while its guest runs.
type machine struct{ kvm, vm, vcpu uint64 }

// OpenKVM opens them as a hypervisor does, in its start.
func (s *Fixture) OpenKVM() *machine {
	if s.Plan.Accel != cell.AccelKVM || s.sealed {
		return nil
	}
	m := &machine{}
	for _, step := range []struct {
		to   *uint64
		call uint64
		args []any
	}{
		{&m.kvm, unix.SYS_OPENAT, []any{atCWD, "/dev/kvm", unix.O_RDWR | unix.O_CLOEXEC, 0}},
		{&m.vm, unix.SYS_IOCTL, []any{late(func(*Fixture) any { return m.kvm }), kvmCreateVM, 0}},
		{&m.vcpu, unix.SYS_IOCTL, []any{late(func(*Fixture) any { return m.vm }), kvmCreateVCPU, 0}},
	} {
		for i, a := range step.args {
			if f, ok := a.(late); ok {
				step.args[i] = f(s)
			}
		}
		r := s.call(step.call, step.args...)
		if r.gone || r.errno != 0 {
			return nil
		}
		*step.to = r.value
	}
	return m
}

// needKVM leaves attempts on KVM to cells that have it.
func needKVM(s *Fixture) (string, bool) {
	return "the cell has no KVM (it is emulated, or KVM gave it no machine)", s.KVM != nil
}

// request is an ioctl(2) on one of them.
func request(fd func(*machine) uint64, number uint64, arg any) attempt {
	return try(unix.SYS_IOCTL, late(func(s *Fixture) any { return fd(s.KVM) }), number, arg)
}

func kvmFD(m *machine) uint64  { return m.kvm }
func vmFD(m *machine) uint64   { return m.vm }
func vcpuFD(m *machine) uint64 { return m.vcpu }
