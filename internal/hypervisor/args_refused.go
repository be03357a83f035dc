package hypervisor

import (
	"slices"
	"strings"

	"skep/internal/cell"
)

// A refusedArg is an argument that hypervisor { args } may not have: the
// hypervisor would ignore it without a word, or it undoes what the plan says. Its
// flags are written as the hypervisor's manual has them.
type refusedArg struct {
	flags   string
	why     string
	instead string
}

const (
	ignoredByBlockdev = "it does nothing for the disks of a cell"
	waitsForNobody    = "the keeper lets the guest run"
	nothing           = "nothing"
	aDiskBlock        = `a disk block: disk "root" { file = "…" }`
	noFiles           = "the hypervisor has no files"
	undoesJail        = "the jail is skep's to make, before the first instruction"
	keeperTalks       = "the keeper alone speaks with QEMU"
)

// qemuRefused is in the order of qemu(1).
var qemuRefused = []refusedArg{
	{"-drive -hda -hdb -hdc -hdd -fda -fdb -cdrom -sd -mtdblock -pflash -blockdev", noFiles, aDiskBlock},
	{"-snapshot", ignoredByBlockdev + ", which are written", "base = \"IMAGE\" and disposable = true in the disk block: what is written goes with the guest"},
	{"-fsdev -virtfs", noFiles, "a disk; shares are for FreeBSD hosts"},
	{"-iscsi", "the hypervisor has no network", "a disk of the host's: disk { device = \"…\" }"},
	{"-S", waitsForNobody, "gdb { wait = true } has the guest wait for a debugger"},
	{"-s -gdb", "the hypervisor has no network", `gdb { listen = "…" }`},
	{"-preconfig", waitsForNobody, nothing},
	{"-sandbox", undoesJail, nothing},
	{"-daemonize -pidfile", "the keeper follows the process that it started", "skep up runs a cell in the background; skep show has the pid"},
	{"-chroot -runas", undoesJail, nothing},
	{"-async-teardown", "a process of its own would hold the guest's memory", nothing},
	{"-incoming -loadvm", "the cell would go on with another guest's memory", nothing},
	{"-only-migratable -dump-vmstate", "a cell is not moved", nothing},
	{"-no-reboot -no-shutdown -action", "what follows a reset or power-off is the keeper's to decide", "restart = \"never\", \"on-crash\" or \"always\""},
	{"-accel -enable-kvm -no-kvm", "the accelerator is chosen and tried beforehand", `accel = "kvm" or "tcg"`},
	{"-machine -M", "the board is planned with all that stands on it", "-global sets a property of the board's devices"},
	{"-m", "the limit of memory follows the cell file", `memory = "2G"`},
	{"-smp", "the number of processors is planned", "cpus = 4; -smp with sockets, cores and threads alone is taken"},
	{"-mem-path -mem-prealloc", noFiles, nothing},
	{"-bios", noFiles, `boot = "/path/to/firmware"`},
	{"-kernel -initrd -append -dtb", noFiles, `kernel { image = "…" initrd = "…" cmdline = "…" }`},
	{"-option-rom", noFiles, nothing},
	{"-net -nic -netdev", "the hypervisor has no network", `nic "lan" { bridge = "…" }`},
	{"-vnc -spice -display -nographic -curses -sdl -full-screen", "the hypervisor has no terminal and no network", `screen { listen = "…" }`},
	{"-vga", "the screen's adapter is planned", "screen {}"},
	{"-serial -parallel -debugcon -chardev", "the console is a socket that was handed in", "skep console, and console blocks"},
	{"-monitor -mon -qmp -qmp-pretty", keeperTalks, "skep show, skep screenshot"},
	{"-add-fd", "descriptors are handed in by the keeper", nothing},
	{"-set", "it changes what the plan says of a device", "-global sets a property of a kind of device"},
	{"-d", "by its own -d QEMU tells a triple fault from a reset", nothing},
	{"-readconfig -L", noFiles, "the arguments themselves"},
	{"-D -trace -plugin", noFiles, "skep log --hypervisor has what QEMU says"},
	{"-name", "the process is named for the cell", "the cell's own name"},
	{"-version -h -help -audio-help", "QEMU would print that and end", nothing},
}

// bhyveRefused is in the order of bhyve(8).
var bhyveRefused = []refusedArg{
	{"-c", "processors are planned", "cpus = 4"},
	{"-D", "the keeper destroys the virtual machine, inside its jail", nothing},
	{"-f", "the firmware is planned", `boot = "uefi" or boot = "/path/to/firmware"`},
	{"-F -k", "a file of configuration would come before the plan", "the arguments themselves"},
	{"-G", "the jail may have no network", `gdb { listen = "…" }`},
	{"-h", "bhyve would print that and end", nothing},
	{"-l", "the console is a null modem of the cell's", "console blocks, screen {}, boot"},
	{"-m", "the limit of memory follows the cell file", `memory = "2G"`},
	{"-M -r", "the keeper follows the process and its machine", nothing},
}

// argument is one that a hypervisor is given: a flag with its value, or a value
// that belongs to none.
type argument struct{ flag, value string }

// argsRefused lists what a cell's arguments may not have.
func argsRefused(args []argument, table []refusedArg) (list []Refusal) {
	for _, a := range args {
		row := refusedArg{"", "QEMU takes what belongs to no option for a disk", aDiskBlock}
		what := a.value
		if a.flag != "" {
			i := slices.IndexFunc(table, func(r refusedArg) bool { return slices.Contains(strings.Fields(r.flags), a.flag) })
			if i < 0 || a.flag == "-smp" && !countsCPUs(a.value) {
				continue
			}
			row, what = table[i], a.flag
		}
		hint := "instead: " + row.instead
		if row.instead == nothing {
			hint = "leave it out"
		}
		list = append(list, Refusal{"hypervisor.args", "cannot pass " + cell.Printable(what) + " to the hypervisor: " + row.why, hint})
	}
	return list
}

// countsCPUs tells a number of processors from the way they are arranged.
func countsCPUs(smp string) bool {
	for part := range strings.SplitSeq(smp, ",") {
		key, _, isPair := strings.Cut(part, "=")
		if !isPair || key == "cpus" || key == "maxcpus" {
			return true
		}
	}
	return false
}

// qemuArguments reads a list as QEMU does: flags with one dash or two, and an
// empty argument for nothing.
func qemuArguments(args []string) (list []argument) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if arg != "" {
				list = append(list, argument{"", arg})
			}
			continue
		}
		a := argument{flag: arg}
		if strings.HasPrefix(arg, "--") {
			a.flag = arg[1:]
		}
		if !slices.Contains(qemuLone, a.flag) && i+1 < len(args) {
			i++
			a.value = args[i]
		}
		list = append(list, a)
	}
	return list
}

// bhyveValued are the flags of bhyve(8) that take a value, as getopt(3) knows
// them.
const bhyveValued = "cfgGkKlmoprsU"

// bhyveArguments reads a list as getopt(3) does: flags in one word, and a value in
// the same word or the next.
func bhyveArguments(args []string) (list []argument) {
	for i := 0; i < len(args); i++ {
		letters, isFlag := strings.CutPrefix(args[i], "-")
		if !isFlag {
			continue // bhyve's own word for it is clear
		}
		for at, letter := range letters {
			a := argument{flag: "-" + string(letter)}
			if strings.ContainsRune(bhyveValued, letter) {
				a.value = letters[at+len(string(letter)):]
				if a.value == "" && i+1 < len(args) {
					i++
					a.value = args[i]
				}
				list = append(list, a)
				break
			}
			list = append(list, a)
		}
	}
	return list
}

// qemuLone are the options of QEMU that take no value.
var qemuLone = strings.Fields(`-S -s -snapshot -daemonize -enable-kvm -no-kvm -no-acpi -no-hpet -no-fd-bootchk -no-reboot
	-no-shutdown -no-user-config -nodefaults -nographic -full-screen -preconfig -only-migratable -mem-prealloc -portrait
	-singlestep -usb -version -h -help -win2k-hack -xen-attach -xen-domid-restrict -audio-help -async-teardown
	-enable-sync-profile -one-insn-per-tb -semihosting -curses -sdl -old-param`)
