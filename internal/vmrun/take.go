package vmrun

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"skep/internal/cell"
	"skep/internal/fault"
)

// extra hands a flag of bhyve(8)'s own through.
func extra(args ...string) func(*request, string) error {
	return func(r *request, _ string) error {
		r.args = append(r.args, args...)
		return nil
	}
}

func bad(letter byte, value, hint, format string, args ...any) error {
	return fault.New(fault.Input, hint, "take -%c %s: %s", letter, value, fmt.Sprintf(format, args...))
}

func takeCPUs(r *request, v string) error {
	n, err := strconv.Atoi(strings.TrimPrefix(v, "cpus="))
	if err != nil || n < 1 {
		return bad('c', v, "the number of processors, such as 4; sockets, cores and threads have no place in a cell", "it must be a number")
	}
	r.cpus = n
	return nil
}

// takeMemory reads a size as bhyve's -m does (vm_parse_memsize in
// lib/libvmmapi/vmmapi.c): a bare number below a million is megabytes, any
// other number bytes, and a unit is a power of 1024.
func takeMemory(r *request, v string) error {
	digits := strings.TrimRight(v, "kKmMgGtTbB")
	n, err := strconv.ParseInt(digits, 0, 64)
	unit := strings.TrimSuffix(strings.ToLower(v[len(digits):]), "b")
	size := cell.Size(n)
	scale := map[string]cell.Size{"": 1, "k": cell.KiB, "m": cell.MiB, "g": cell.GiB, "t": cell.TiB}[unit]
	if v == digits && size < cell.MiB {
		scale = cell.MiB
	}
	if err != nil || n <= 0 || scale == 0 || size > (1<<62)/scale {
		return bad('m', v, "a size such as 16G, or a number of megabytes", "it must be a size")
	}
	if r.memory = size * scale; r.memory%cell.MiB != 0 {
		return bad('m', v, "bhyve takes whole megabytes", "it must be whole megabytes")
	}
	return nil
}

var nmdm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^/dev/nmdm.+[AB]$`) })

func takeConsole(r *request, v string) error {
	switch {
	case v == "stdio":
		r.console = ""
		r.note("-C stdio: the console is logged, and skep console attaches to it")
	case nmdm().MatchString(v) && strings.HasSuffix(v, "A"):
		r.console = v
	case nmdm().MatchString(v):
		return bad('C', v, "use "+v[:len(v)-1]+"A here and attach to "+v, "the host keeps the B end and the guest gets the A end")
	default:
		return bad('C', v, "use stdio, or a null modem such as /dev/nmdm-web-A", "it is neither stdio nor a null modem, and a jail could reach more through it than a console")
	}
	return nil
}

func takeEnv(r *request, v string) error {
	if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
		return bad('e', v, "write -e name=value", "it must be a variable with a value")
	}
	r.env = append(r.env, v)
	return nil
}

func takeFirmware(r *request, v string) error {
	r.firmware = r.absolute(v)
	r.efiOnly = append(r.efiOnly, 'f')
	return nil
}

func takeSize(r *request, v string) error {
	r.efiOnly = append(r.efiOnly, 'F')
	for part := range strings.SplitSeq(v, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(value)
		switch {
		case name == "password":
			return refusePassword(r, "")
		case name == "w" && err == nil:
			r.width = n
		case name == "h" && err == nil:
			r.height = n
		default:
			return bad('F', v, "write -F w=1024,h=768", "a cell has no place for %q", part)
		}
	}
	return nil
}

func refusePassword(*request, string) error {
	return fault.New(fault.Input, "write it to a file of root's, and set screen.password_file in the cell file (skep vmrun --print)",
		"take a password on the command line: every process of the host can read it there")
}

func takeGDB(r *request, v string) error {
	rest, wait := strings.CutPrefix(v, "w")
	host, port := defaultHost, rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host, port = strings.Trim(rest[:i], "[]"), rest[i+1:]
	}
	listen, err := address('G', v, host, port)
	if err != nil {
		return err
	}
	r.gdb = &cell.GDB{Listen: listen, Wait: wait}
	return nil
}

func takeHost(r *request, v string) error {
	r.host = v
	r.efiOnly = append(r.efiOnly, 'L')
	_, err := address('L', v, v, defaultPort)
	return err
}

func takePort(r *request, v string) error {
	r.port = v
	r.efiOnly = append(r.efiOnly, 'P')
	_, err := address('P', v, defaultHost, v)
	return err
}

// address is host:port in numbers. Names would be looked up later, with
// whatever answer there is by then.
func address(letter byte, v, host, port string) (string, error) {
	if host == "localhost" {
		host = defaultHost
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return "", bad(letter, v, "write the address in numbers, such as 127.0.0.1", "%q is not an address", host)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", bad(letter, v, "a port is a number from 1 to 65535", "%q is not a port", port)
	}
	return net.JoinHostPort(ip.Unmap().String(), strconv.FormatUint(n, 10)), nil
}

func takeModel(r *request, v string) error {
	models := map[string]string{"virtio-net": "virtio", "e1000": "e1000"}
	if models[v] == "" {
		return bad('n', v, "use virtio-net or e1000", "a cell has no such card")
	}
	r.nicModel = models[v]
	return nil
}
