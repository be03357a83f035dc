package attack

import (
	"net"

	"golang.org/x/sys/unix"
)

// socketAttempts speak with somebody. A socket alone reaches nobody: a cell in a network stack of its
// own can have one, so the connection is what counts.
var socketAttempts = []Attempt{
	{ID: "tcp", Tries: "connect to a TCP port of the host's loopback",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | ECAPMODE | ENETUNREACH", Start: true, Do: speaking(unix.SYS_CONNECT, unix.AF_INET, unix.SOCK_STREAM, tcpBait)},
	{ID: "udp", Tries: "send to a UDP port of the host's loopback",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | ECAPMODE | ENETUNREACH", Start: true, Do: speaking(unix.SYS_CONNECT, unix.AF_INET, unix.SOCK_DGRAM, udpBait)},
	{ID: "send-to", Tries: "send to it without a connection",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | ECAPMODE | ENETUNREACH", Start: true, Do: code(sendTo)},
	{ID: "tcp6", Tries: "connect to a TCP port by IPv6",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | ECAPMODE | ENETUNREACH | EADDRNOTAVAIL", Start: true, Do: speaking(unix.SYS_CONNECT, unix.AF_INET6, unix.SOCK_STREAM, func(*Fixture) []byte {
			b := make([]byte, 28)
			b[0], b[1], b[3], b[23] = 28, unix.AF_INET6, 9, 1
			return b
		})},
	{ID: "metadata", Tries: "ask for a cloud's credentials (169.254.169.254)",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | ECAPMODE | ENETUNREACH", Start: true, Do: speaking(unix.SYS_CONNECT, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, func(*Fixture) []byte { return inet(net.IPv4(169, 254, 169, 254), 80) }, unix.EINPROGRESS)},
	{ID: "bind", Tries: "listen where others can connect",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | ECAPMODE | EADDRNOTAVAIL", Needs: needNoNetwork, Start: true, Do: speaking(unix.SYS_BIND, unix.AF_INET, unix.SOCK_STREAM, func(*Fixture) []byte { return inet(net.IPv4zero, 0) })},
	{ID: "unix", Tries: "connect to a UNIX socket of the host",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: speaking(unix.SYS_CONNECT, unix.AF_UNIX, unix.SOCK_STREAM, func(s *Fixture) []byte {
			return append([]byte{106, unix.AF_UNIX}, append([]byte(s.Bait.Dir+"/socket"), make([]byte, 104)...)[:104]...)
		})},
	{ID: "raw", Tries: "send packets of any form (raw socket)",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | EPERM | ECAPMODE", Needs: needNoNetwork, Start: true, Do: try(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, 1).opening()},
	{ID: "routing", Tries: "look at or change routes (routing socket)",
		By: "capsicum", Want: "EPROTONOSUPPORT | EPERM | ECAPMODE", Single: "a jail may look at routes", Do: try(unix.SYS_SOCKET, unix.AF_ROUTE, unix.SOCK_RAW, 0).opening()},
	{ID: "netgraph", Tries: "make a network of its own in the kernel (netgraph)",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | EAFNOSUPPORT | EPERM | ECAPMODE", Start: true, Do: try(unix.SYS_SOCKET, 32, unix.SOCK_DGRAM, 2).opening()},
	{ID: "key-socket", Tries: "change IPsec keys",
		By: "jail capsicum", Want: "EPROTONOSUPPORT | EAFNOSUPPORT | EPERM | ECAPMODE", Start: true, Do: try(unix.SYS_SOCKET, 29, unix.SOCK_RAW, 2).opening()},
	{ID: "netlink", Tries: "look at or change the network by netlink",
		By: "capsicum", Want: "EPROTONOSUPPORT | EAFNOSUPPORT | ECAPMODE", Single: "a jail may look at the network that it has", Do: try(unix.SYS_SOCKET, 38, unix.SOCK_RAW, 0).opening()},
	{ID: "setfib", Tries: "use another routing table of the host",
		By: "capsicum", Want: "ECAPMODE", Single: singleCapsicum, Do: try(unix.SYS_SETFIB, 0)},
}

func inet(ip net.IP, port int) []byte {
	return append([]byte{16, unix.AF_INET, byte(port >> 8), byte(port)}, append([]byte(ip.To4()), make([]byte, 8)...)...)
}

func tcpBait(s *Fixture) []byte { a := s.Bait.TCP.Addr().(*net.TCPAddr); return inet(a.IP, a.Port) }
func udpBait(s *Fixture) []byte {
	a := s.Bait.UDP.LocalAddr().(*net.UDPAddr)
	return inet(a.IP, a.Port)
}

// speaking makes a socket and connects or binds it.
func speaking(number uint64, family, kind int, address func(*Fixture) []byte, past ...unix.Errno) code {
	return func(s *Fixture) Outcome {
		r := s.call(unix.SYS_SOCKET, family, kind, 0)
		if o, failed := r.failed(); failed {
			return o
		}
		defer s.call(unix.SYS_CLOSE, r.value)
		to := address(s)
		return attempt{past: past}.judge(s.call(number, r.value, to, len(to)))
	}
}

func sendTo(s *Fixture) Outcome {
	r := s.call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	to := udpBait(s)
	return attempt{}.judge(s.call(unix.SYS_SENDTO, r.value, "drill", 5, 0, to, len(to)))
}
