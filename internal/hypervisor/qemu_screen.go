package hypervisor

import (
	"fmt"

	"skep/internal/cell"
)

// qemuScreen is the frame buffer. No VNC socket is opened: viewers are handed
// in one by one over QMP, as descriptors.
func qemuScreen(c *cell.Cell) []Option {
	opts := []Option{{Flag: "-vga", Value: "none", Why: "no display adapter but the one listed"}}
	s := c.Screen
	if s == nil {
		return append(opts, Option{Flag: "-display", Value: "none", Why: "no screen"})
	}
	vnc := Option{Flag: "-vnc", Value: "none", Why: "VNC without a socket; viewers come by QMP add_client", Source: "screen"}
	if s.PasswordFile != "" {
		vnc.Value, vnc.Source = "none,password=on", "screen.password_file"
		vnc.Why = "no viewer until QMP has set the password"
	}
	return append(opts,
		vnc,
		Option{Flag: "-device", Value: props(displayDevice(c), fmt.Sprintf("edid=on,xres=%d,yres=%d", s.Width, s.Height), slot(slotScreen, slotRNG, 0)),
			Why: "the frame buffer", Source: "screen"},
		Option{Flag: "-device", Value: "qemu-xhci,id=usb," + slot(slotUSB, slotDisk, 0), Why: "carries the tablet", Source: "screen"},
		// A mouse would drift; the keyboard is the board's PS/2.
		Option{Flag: "-device", Value: "usb-tablet,bus=usb.0", Why: "a pointer that is where the viewer's is", Source: "screen"})
}

// displayDevice: UEFI and its guests need a plain frame buffer, not forty
// years of VGA. BIOS guests need VGA and its ROM; the built-in guest runs none.
func displayDevice(c *cell.Cell) string {
	switch c.Boot.Kind {
	case cell.BootUEFI:
		return "bochs-display,romfile="
	case cell.BootHello:
		return "VGA,romfile="
	default:
		return "VGA"
	}
}
