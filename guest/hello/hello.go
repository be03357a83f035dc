// Package hello is the built-in guest: a boot firmware of one page that needs no
// download, no disk and no network. It runs unchanged on bhyve and on QEMU's q35
// machine, with KVM or with TCG, and uses no processor time while it waits.
//
// It writes its greeting to the first serial port and takes commands there, one
// letter each:
//
//	q  power off, through ACPI
//	r  reset
//	t  triple fault
//	h  hang: sleep for ever, the console and the power button are ignored
//	f  flood the console for ever; only the console is ignored
//
// Every other byte is echoed, a carriage return and a line feed each as both.
// Except while it hangs it answers the ACPI power button by powering off. What
// arrives on the console before the guest starts is kept and obeyed.
//
// On bhyve it needs the -H flag to give up the processor while it waits, and its
// hang is not a halt: bhyve keeps running.
//
// hello.asm is the source; hello.rom is built from it with NASM and is part of
// the repository so that building skep takes nothing but Go.
package hello

import _ "embed"

//go:generate nasm -f bin -Werror -o hello.rom hello.asm

//go:embed hello.rom
var rom string

const (
	// Greeting begins the first line on the console. By the end of that line
	// the guest answers the power button; its first byte goes out before
	// everything else the guest does.
	Greeting = "hello from"

	// Commands begins the second line, the last one before the first command.
	Commands = "commands: "
)

// The commands.
const (
	PowerOff    = 'q'
	Reset       = 'r'
	TripleFault = 't'
	Hang        = 'h'
	Flood       = 'f'
)

// ROM returns a fresh copy of the firmware image: whole pages, to be mapped so that
// it ends at 4 GiB.
func ROM() []byte {
	return []byte(rom)
}
