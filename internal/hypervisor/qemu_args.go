package hypervisor

import (
	"fmt"
	"strconv"

	"skep/internal/cell"
)

// QEMUInput is what a QEMU command line needs besides the cell. Every path in
// it is a path of the rootfs.
type QEMUInput struct {
	Accel   cell.Accel     // AccelKVM or AccelTCG: by now the choice is made
	FD      map[string]int // of QEMUDescriptors, by name
	DataDir string         // holds the ROM images of QEMUDataFiles
	// KernelPath and InitrdPath are files of the rootfs: QEMU takes neither by
	// descriptor.
	KernelPath string
	InitrdPath string
	// CPU is one of CPUModels, or "" for the first.
	CPU string
	// Version is what QEMU says of itself ("7.2.22"): some options have changed
	// their form. "" is an early one.
	Version string
}

// CPUModels are the processors to offer a guest, best first. "max" is "host"
// under KVM and all that can be emulated under TCG; a cell is never migrated,
// so there is no older processor to imitate. A KVM that is software itself
// says that it has IA32_ARCH_CAPABILITIES and then refuses it, at which QEMU
// aborts; without that register a guest on Intel works around more of the
// processor's flaws than it has to. So try, and take the first that runs.
var CPUModels = []string{"max", "max,arch-capabilities=off"}

// fd is the number of a descriptor. QEMU refuses -1, so a descriptor that was
// forgotten stops the start rather than becoming standard input.
func (in QEMUInput) fd(name string) string {
	if n, ok := in.FD[name]; ok {
		return strconv.Itoa(n)
	}
	return "-1"
}

// fdset is the pseudo-path by which QEMU opens a descriptor of its own.
func (in QEMUInput) fdset(name string) string { return "/dev/fdset/" + in.fd(name) }

// QEMUArgs is QEMU's command line for a cell, without argument zero. No path
// of the host and no secret is on it.
func QEMUArgs(c *cell.Cell, in QEMUInput) []string { return Argv(QEMUOptions(c, in)) }

// QEMUOptions is the same with the reason of each option.
func QEMUOptions(c *cell.Cell, in QEMUInput) []Option {
	var opts []Option
	opts = append(opts, qemuProcess(c, in)...)
	opts = append(opts, qemuMachine(c, in)...)
	opts = append(opts, qemuTemplate(c, in)...)
	opts = append(opts, qemuIdentity(c)...)
	opts = append(opts, qemuTalk(c, in)...)
	opts = append(opts, qemuBoot(c, in)...)
	opts = append(opts, qemuDisks(c, in)...)
	opts = append(opts, qemuNICs(c, in)...)
	opts = append(opts, qemuHelpers(c)...)
	opts = append(opts, qemuTPM(c, in)...)
	opts = append(opts, qemuScreen(c)...)
	for _, a := range c.Hypervisor.Args {
		// Last, so that the cell file has the last word.
		opts = append(opts, Option{Value: a, Why: "asked for by the cell file as it stands", Source: "hypervisor.args"})
	}
	return opts
}

// qemuProcess is what makes QEMU a quiet process that waits to be told.
func qemuProcess(c *cell.Cell, in QEMUInput) []Option {
	opts := []Option{
		// Started through a descriptor, the process would be called by its number.
		{Flag: "-name", Value: in.named(c.Name), Why: "a name that ps(1) can show"},
		{Flag: "-no-user-config", Why: "no file of the host decides what the guest gets"},
		{Flag: "-nodefaults", Why: "no device that is not listed here"},
		{Flag: "-S", Why: "the guest waits until the rootfs is closed behind it"},
		// A guest that resets or powers off is paused with its state intact. The
		// keeper reads why from QMP and says what follows: quit, or a reset in
		// the same process. See Reset in qmp_commands.go.
		{Flag: "-action", Value: "reboot=shutdown,shutdown=pause,panic=pause,watchdog=none", Why: "the end of a guest is the keeper's to judge"},
		{Flag: "-L", Value: in.DataDir, Why: "ROM images come from the rootfs"},
	}
	if in.Accel == cell.AccelTCG {
		// QMP calls a triple fault "guest-reset". Under TCG QEMU's log tells them
		// apart; see TripleFaultMark.
		opts = append(opts, Option{Flag: "-d", Value: "cpu_reset", Why: "a triple fault leaves a mark on standard error"})
	}
	return opts
}

// qemuMachine is the board, the processors and the memory.
func qemuMachine(c *cell.Cell, in QEMUInput) []Option {
	machine := props(
		"q35",
		"vmport=off", // VMware's back door: no guest of ours needs it
		optional(!in.blankWithoutSMM(c) && !c.SecureBoot, "smm=off"), // not needed without Secure Boot; a software KVM has none
		"hpet=off",            // one timer less; TSC, APIC timer and PIT remain
		"usb=off",             // a screen brings its own controller
		"smbus=off",           // only carries memory module descriptions
		"graphics=off",        // firmware and kernel talk to the serial console
		"dump-guest-core=off", // guest memory stays out of core dumps
		"mem-merge=off",       // no KSM: merging tells a guest what its neighbours hold
		optional(!needsSATA(c), "sata=off"),
		optional(hasFlash(c), "pflash0=flash0"),
		optional(c.Boot.Kind == cell.BootUEFI, "pflash1=flash1"),
		optional(c.Template != nil, "memory-backend="+memoryNode),
	)
	accel := Option{Flag: "-accel", Value: "kvm", Why: "the processor's own virtualization", Source: "accel"}
	if in.Accel == cell.AccelTCG {
		accel.Value = fmt.Sprintf("tcg,split-wx=on,thread=multi,tb-size=%d", translated(c))
		accel.Why = "emulation; split-wx: no memory is writable and executable at once"
	}
	cpu := in.CPU
	if cpu == "" {
		cpu = CPUModels[0]
	}
	if c.Identity != nil && c.Identity.CPUName != "" {
		cpu += ",model-id=" + c.Identity.CPUName
	}
	if c.Clock != nil && in.Accel == cell.AccelKVM {
		cpu += ",kvmclock=off" // tells the guest the host's time of day
	}
	n := strconv.Itoa(c.CPUs)
	return []Option{
		{Flag: "-machine", Value: machine, Why: "a PCIe board with as little on it as boots"},
		accel,
		{Flag: "-cpu", Value: cpu, Why: "every feature that this host can give"},
		{Flag: "-smp", Value: "cpus=" + n + ",maxcpus=" + n + ",sockets=1,cores=" + n + ",threads=1", Why: "processors; no hotplug", Source: "cpus"},
		{Flag: "-global", Value: "apic-common.vapic=off", Why: "no ROM that patches the code of Windows XP"},
		{Flag: "-m", Value: "size=" + c.Memory.String(), Why: "the guest's memory", Source: "memory"},
		{Flag: "-global", Value: "ICH9-LPC.disable_s3=1", Why: "no suspend: nobody could wake it"},
		{Flag: "-global", Value: "ICH9-LPC.disable_s4=1", Why: "no suspend to disk: it would look like a power-off"},
	}
}

// translated is how many MiB QEMU may keep of translated code. Of its own accord
// it takes up to a gigabyte, and a guest that has run for long enough would be
// killed by the cell's own limit: half of what the limit leaves beside the
// guest's memory is for the code, half for QEMU.
func translated(c *cell.Cell) int64 {
	const most = 512
	return min(max(int64(c.Jail.Limits.MemoryOverhead/cell.MiB)/2, 8), most)
}

// qemuTalk is how the host speaks with QEMU and with the guest: listening
// sockets, so that a new keeper can connect when the old one is gone.
func qemuTalk(c *cell.Cell, in QEMUInput) []Option {
	const server = ",server=on,wait=off"
	opts := []Option{
		{Flag: "-chardev", Value: "socket,id=qmp,fd=" + in.fd(FDQMP) + server, Why: "QMP listens on a socket bound outside"},
		in.monitor(),
		in.addFD(FDConsoleLog, "console"),
		{Flag: "-chardev", Value: "socket,id=console,fd=" + in.fd(FDConsole) + server +
			",logfile=" + in.fdset(FDConsoleLog) + ",logappend=on",
			Why: "the serial console; QEMU itself logs it, so it is logged while no keeper lives", Source: "console"},
		{Flag: "-serial", Value: "chardev:console", Why: "the guest's first serial port", Source: "console"},
	}
	if c.GDB != nil {
		opts = append(opts,
			Option{Flag: "-chardev", Value: "socket,id=gdb,fd=" + in.fd(FDGDB) + server, Why: "the debug stub listens on a socket bound outside", Source: "gdb"},
			Option{Flag: "-gdb", Value: "chardev:gdb", Why: "a debug stub: full control of the guest", Source: "gdb"})
	}
	return opts
}

// addFD makes a descriptor one that QEMU opens by the pseudo-path of fdset.
// The set has the descriptor's number, so that a reader finds it.
func (in QEMUInput) addFD(name, source string) Option {
	fd := in.fd(name)
	return Option{Flag: "-add-fd", Value: fmt.Sprintf("fd=%s,set=%s,opaque=%s", fd, fd, name), Why: "opened outside, handed in: " + name, Source: source}
}
