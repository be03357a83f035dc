package vmrun

import (
	"crypto/md5"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"

	"skep/internal/cell"
)

func takeDisk(r *request, v string) error {
	path, options, _ := strings.Cut(v, ",")
	if path == "" {
		return bad('d', v, "write -d followed by a path", "it names no disk")
	}
	d := disk{path: r.absolute(path)}
	for opt := range strings.SplitSeq(options, ",") {
		switch opt {
		case "":
		case "ro":
			d.readOnly = true
		case "nocache", "direct", "sync", "nodelete":
			r.note("-d %s: %s changes how the host writes, and a cell has no word for it; it is left out", v, opt)
		default:
			return bad('d', v, "leave it out, or write the cell by hand with hypervisor { args = […] }", "a cell has no word for %q, and the guest would see another disk without it", opt)
		}
	}
	r.disks = append(r.disks, d)
	return nil
}

func takeTap(r *request, v string) error {
	tap, options, _ := strings.Cut(v, ",")
	n := nic{tap: tap}
	if strings.HasPrefix(tap, "netgraph") || strings.HasPrefix(tap, "slirp") || strings.HasPrefix(tap, "vale") {
		return bad('t', v, "use a tap", "this backend has no place in a jail")
	}
	for opt := range strings.SplitSeq(options, ",") {
		mac, isMAC := strings.CutPrefix(opt, "mac=")
		if opt == "" {
			continue
		}
		hw, err := net.ParseMAC(mac)
		if !isMAC || err != nil {
			return bad('t', v, "only mac=… can follow a tap", "a cell has no word for %q", opt)
		}
		n.mac = hw.String()
	}
	r.nics = append(r.nics, n)
	return nil
}

func takeHostBase(r *request, v string) error {
	r.hostBase = r.absolute(v)
	return nil
}

var slot = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]+/[0-9]+/[0-9]+$`) })

func takePassthru(r *request, v string) error {
	pci := v
	if !slot().MatchString(v) {
		if r.o.PCI == nil {
			return bad('p', v, "write bus/slot/function, as pciconf -l shows it", "devices cannot be looked up by name here")
		}
		found, err := r.o.PCI(v)
		if err != nil {
			return bad('p', v, "pciconf -l lists the devices of this host", "%v", err)
		}
		pci = found
	}
	r.passthru = append(r.passthru, pci)
	return nil
}

// label names a device after what it is, or after its place where that name is
// taken or none.
func label(name, kind string, i int, used map[string]bool) string {
	if cell.ValidName(name) != nil || used[name] {
		name = fmt.Sprintf("%s%d", kind, i)
	}
	used[name] = true
	return name
}

// defaultMAC is the address that bhyve makes for a card by itself: from its PCI
// slot, where the script puts the first card into slot 2, and the name of the
// machine (net_genmac in usr.sbin/bhyve/net_utils.c). A guest that moves into a
// cell keeps its card.
func defaultMAC(i int, name string) string {
	sum := md5.Sum(fmt.Appendf(nil, "%d-0-%s", 2+i, name))
	return net.HardwareAddr{0x00, 0xa0, 0x98, sum[0], sum[1], sum[2]}.String()
}
