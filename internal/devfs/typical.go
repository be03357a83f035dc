package devfs

import "strings"

// typical names the nodes of a FreeBSD 14 host that runs bhyve, for questions
// asked where no such host is at hand.
const typical = `
acpi apm apmctl atkbd0 audit auditpipe bpf bpf0 cam/ctl cd0 console consolectl ctty cuau0 cuau0.init cuau0.lock cuau1
da0 devctl devctl2 devstat dumpdev fd/0 fd/1 fd/2 fido full fuse geom.ctl gpt/efiboot0 gptid/5ca1ab1e input/event0 io
kbd0 kbdmux0 klog kmem led/vtnet0 mdctl mem midistat mlx5ctl netmap nfslock nmdm-web-A nmdm-web-B null nvme0 nvme0ns1 nda0 nda0p1 nda0p2
pass0 pass1 pci pf psm0 ptmx pts/0 random sndstat speaker sysmouse tap0 tap1 ttyu0 ttyu0.init ttyu0.lock ttyv0 ttyv1
ufssuspend ugen0.1 ugen1.1 urandom usb/0.1.0 usb/1.1.0 usbctl vmm/web vmm.io/web.bootrom vtbd0 vtbd0p1 vtbd0p2 xpt0 zero zfs
zvol/tank/bhyve/web/disk-01`

// links among them.
const typicalLinks = ` log stderr stdin stdout ugen0.1 ugen1.1 urandom vga `

// TypicalNodes are the nodes of a typical FreeBSD host.
func TypicalNodes() []Node {
	var nodes []Node
	for _, name := range append(strings.Fields(typical), "stdin", "stdout", "stderr", "log") {
		n := Node{Path: name, Type: GuessType(name)}
		if strings.Contains(typicalLinks, " "+name+" ") {
			n.Kind, n.Type = Symlink, 0
		}
		nodes = append(nodes, n)
	}
	return withParents(nodes)
}
