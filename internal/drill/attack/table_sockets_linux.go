package attack

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socketAttempts speak with somebody. A cell has no call that makes a socket; behind that lies a
// network without a device.
var socketAttempts = []Attempt{
	{ID: "tcp", Tries: "connect to a service of the host by TCP",
		By: "network-namespace landlock seccomp", Want: "EPERM", Do: connecting(unix.AF_INET, unix.SOCK_STREAM, func(s *Fixture) []byte { return inet(s.Bait.TCP.Addr()) })},
	{ID: "udp", Tries: "send to a service of the host by UDP",
		By: "network-namespace seccomp", Want: "EPERM", Do: code(sendUDP)},
	{ID: "metadata", Tries: "ask the cloud's metadata address, 169.254.169.254",
		By: "network-namespace landlock seccomp", Want: "EPERM",
		Do: connecting(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, func(*Fixture) []byte { return inet(&net.TCPAddr{IP: net.IPv4(169, 254, 169, 254), Port: 80}) },
			unix.EINPROGRESS, unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ETIMEDOUT)},
	{ID: "listen", Tries: "offer a service of its own by TCP",
		By: "landlock seccomp", Want: "EPERM", Do: code(listen)},
	{ID: "unix-path", Tries: "connect to a socket in the host's file system",
		By: "private-root seccomp", Want: "EPERM", Do: connecting(unix.AF_UNIX, unix.SOCK_STREAM, func(s *Fixture) []byte { return local(s.Bait.Socket.Addr().String()) })},
	{ID: "unix-abstract", Tries: "connect to an abstract socket of the host",
		By: "network-namespace landlock seccomp", Want: "EPERM", Do: connecting(unix.AF_UNIX, unix.SOCK_STREAM, func(s *Fixture) []byte { return local(s.Bait.Own.Abstract.Addr().String()) })},
	{ID: "raw", Tries: "send packets as it likes (a raw socket)",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP).opening()},
	{ID: "packet", Tries: "listen to all packets of the host",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0).opening()},
	{ID: "netlink", Tries: "ask the kernel for the host's addresses (netlink)",
		By: "network-namespace seccomp", Want: "EPERM", Do: code(netlink)},
	{ID: "addresses", Tries: "the same by ioctl(2)",
		By: "network-namespace seccomp", Want: "EPERM", Do: code(addresses)},
	{ID: "af-alg", Tries: "use the kernel's ciphers, for their bugs",
		By: "", Want: "EPERM", Do: try(unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0).opening(), NoControl: "the kernel of this machine does not offer them"},
	{ID: "vsock", Tries: "speak with the hypervisor below this host",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0).opening()},
	{ID: "socketpair", Tries: "make sockets to stuff with descriptors",
		By: "seccomp", Want: "EPERM", Single: singleCall, Early: "where the guest has a TPM QEMU makes a pair for it; both ends of one are in the jail",
		Do: try(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM, 0, space(8))},
	{ID: "rebind", Tries: "give the socket that it listens on another address",
		By: "", Want: "EPERM", Needs: needHanded(CommandSocket), NoControl: "no kernel gives a socket a second name", Do: code(rebind)},
	{ID: "forged-credentials", Tries: "say that it is another process of another user",
		By: "user-namespace pid-namespace own-uid capabilities", Want: "EINVAL", Do: code(forge)},
}

// connecting makes a socket and connects it.
func connecting(family, kind int, address func(*Fixture) []byte, past ...unix.Errno) code {
	return func(s *Fixture) Outcome {
		r := s.call(unix.SYS_SOCKET, family, kind|unix.SOCK_CLOEXEC, 0)
		if o, failed := r.failed(); failed {
			return o
		}
		defer s.call(unix.SYS_CLOSE, r.value)
		to := address(s)
		return attempt{past: past}.judge(s.call(unix.SYS_CONNECT, r.value, to, len(to)))
	}
}

// sendUDP sends and looks whether it arrives: to name an address is no more than that, and a network of
// its own has one by the same name.
func sendUDP(s *Fixture) Outcome {
	r := s.call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	to := inet(s.Bait.UDP.LocalAddr())
	if o, failed := s.call(unix.SYS_SENDTO, r.value, "x", 1, 0, to, len(to)).failed(); failed {
		return o
	}
	_ = s.Bait.UDP.SetReadDeadline(time.Now().Add(time.Second / 2))
	if n, _, err := s.Bait.UDP.ReadFrom(make([]byte, 8)); err != nil || n == 0 {
		return stopped(absent)
	}
	return escaped("it arrives")
}

// inet is a struct sockaddr_in.
func inet(a net.Addr) []byte {
	var ip net.IP
	var port int
	switch a := a.(type) {
	case *net.TCPAddr:
		ip, port = a.IP, a.Port
	case *net.UDPAddr:
		ip, port = a.IP, a.Port
	}
	b := []byte{unix.AF_INET, 0, byte(port >> 8), byte(port)}
	return append(append(b, ip.To4()...), make([]byte, 8)...)
}

// local is a struct sockaddr_un; @ begins an abstract name.
func local(name string) []byte {
	b := append([]byte{unix.AF_UNIX, 0}, name...)
	if name[0] == '@' {
		b[2] = 0
		return b
	}
	return append(b, 0)
}

func listen(s *Fixture) Outcome {
	r := s.call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	local := inet(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if o, failed := s.call(unix.SYS_BIND, r.value, local, len(local)).failed(); failed {
		return o
	}
	return attempt{}.judge(s.call(unix.SYS_LISTEN, r.value, 1))
}

// netlink asks for addresses.
func netlink(s *Fixture) Outcome {
	r := s.call(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	ask := make([]byte, 24)
	binary.LittleEndian.PutUint32(ask, 24)
	binary.LittleEndian.PutUint16(ask[4:], unix.RTM_GETADDR)
	binary.LittleEndian.PutUint16(ask[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if o, failed := s.call(unix.SYS_SENDTO, r.value, ask, len(ask), 0, 0, 0).failed(); failed {
		return o
	}
	buf := s.put(make([]byte, 4096))
	got := s.call(unix.SYS_RECVFROM, r.value, buf, 4096, 0, 0, 0)
	if o, failed := got.failed(); failed {
		return o
	}
	messages, err := syscall.ParseNetlinkMessage(s.get(buf, int(got.value)))
	if err != nil {
		return stopped(absent)
	}
	var seen []net.IP
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWADDR {
			continue
		}
		attributes, _ := syscall.ParseNetlinkRouteAttr(&m)
		for _, a := range attributes {
			if a.Attr.Type == unix.IFA_ADDRESS {
				seen = append(seen, net.IP(a.Value))
			}
		}
	}
	return hostAddress(seen)
}

// hostAddress: the loopback address of a network of its own tells nothing of the host.
func hostAddress(seen []net.IP) Outcome {
	for _, ip := range seen {
		if !ip.IsLoopback() {
			return escaped("it sees the address " + ip.String())
		}
	}
	return stopped(absent)
}

// addresses is SIOCGIFCONF: those of devices that are up.
func addresses(s *Fixture) Outcome {
	r := s.call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	const size = 40 // of a struct ifreq, whose address is at 16, a sockaddr_in with its own at 4
	list := s.put(make([]byte, 16*size))
	conf := s.put(words(16*size, list))
	if o, failed := s.call(unix.SYS_IOCTL, r.value, unix.SIOCGIFCONF, conf).failed(); failed {
		return o
	}
	n := min(int(le32(s.get(conf, 4))), 16*size)
	var seen []net.IP
	for b := s.get(list, n); len(b) >= size; b = b[size:] {
		seen = append(seen, net.IP(b[20:24]))
	}
	return hostAddress(seen)
}

func rebind(s *Fixture) Outcome {
	name := local("@skep-drill-rebound")
	return attempt{}.judge(s.call(unix.SYS_BIND, handed(CommandSocket)(s), name, len(name)))
}

// forge sends no byte, so that its own connection goes on; who it claims to be is looked at all the
// same. sendmsg(2) is a call that hypervisors have.
func forge(s *Fixture) Outcome {
	control := make([]byte, 32)
	binary.LittleEndian.PutUint64(control, 28)
	binary.LittleEndian.PutUint32(control[8:], unix.SOL_SOCKET)
	binary.LittleEndian.PutUint32(control[12:], unix.SCM_CREDENTIALS)
	copy(control[16:], words32(uint32(s.Bait.PID()), 0, 0))
	at := s.put(control)
	message := s.put(words(0, 0, 0, 0, at, 28, 0))
	return attempt{}.judge(s.call(unix.SYS_SENDMSG, s.fd, message, unix.MSG_NOSIGNAL))
}
