package linuxjail

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"skep/internal/jail/seccomp"
	"skep/internal/layer"
)

// right is one row of Landlock's table: what it is called and which ABI brought it.
type right struct {
	bit
	abi int
}

// Landlock refuses whatever it handles and no rule gives back. All that the kernel knows is
// handled; the newest rights come first where one depends on another.
var (
	fileRights = []right{
		{bit{"EXECUTE", unix.LANDLOCK_ACCESS_FS_EXECUTE}, 1},
		{bit{"WRITE_FILE", unix.LANDLOCK_ACCESS_FS_WRITE_FILE}, 1},
		{bit{"READ_FILE", unix.LANDLOCK_ACCESS_FS_READ_FILE}, 1},
		{bit{"READ_DIR", unix.LANDLOCK_ACCESS_FS_READ_DIR}, 1},
		{bit{"REMOVE_DIR", unix.LANDLOCK_ACCESS_FS_REMOVE_DIR}, 1},
		{bit{"REMOVE_FILE", unix.LANDLOCK_ACCESS_FS_REMOVE_FILE}, 1},
		{bit{"MAKE_CHAR", unix.LANDLOCK_ACCESS_FS_MAKE_CHAR}, 1},
		{bit{"MAKE_DIR", unix.LANDLOCK_ACCESS_FS_MAKE_DIR}, 1},
		{bit{"MAKE_REG", unix.LANDLOCK_ACCESS_FS_MAKE_REG}, 1},
		{bit{"MAKE_SOCK", unix.LANDLOCK_ACCESS_FS_MAKE_SOCK}, 1},
		{bit{"MAKE_FIFO", unix.LANDLOCK_ACCESS_FS_MAKE_FIFO}, 1},
		{bit{"MAKE_BLOCK", unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK}, 1},
		{bit{"MAKE_SYM", unix.LANDLOCK_ACCESS_FS_MAKE_SYM}, 1},
		{bit{"REFER", unix.LANDLOCK_ACCESS_FS_REFER}, 2},
		{bit{"TRUNCATE", unix.LANDLOCK_ACCESS_FS_TRUNCATE}, 3},
		{bit{"IOCTL_DEV", unix.LANDLOCK_ACCESS_FS_IOCTL_DEV}, 5},
		{bit{"RESOLVE_UNIX", unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX}, 9},
	}
	netRights = []right{
		{bit{"BIND_TCP", unix.LANDLOCK_ACCESS_NET_BIND_TCP}, 4},
		{bit{"CONNECT_TCP", unix.LANDLOCK_ACCESS_NET_CONNECT_TCP}, 4},
		{bit{"BIND_UDP", unix.LANDLOCK_ACCESS_NET_BIND_UDP}, 10},
		{bit{"CONNECT_SEND_UDP", unix.LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP}, 10},
	}
	scopes = []right{
		{bit{"ABSTRACT_UNIX_SOCKET", unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET}, 6},
		{bit{"SIGNAL", unix.LANDLOCK_SCOPE_SIGNAL}, 6},
	}
	rootfsRights = []string{"EXECUTE", "READ_FILE"}
	nodeRights   = []string{"READ_FILE", "WRITE_FILE", "IOCTL_DEV"}
)

// landlockKnown is the last ABI that brought a right which is handled here. 7 and 8 brought none: what is
// logged, and a call for all threads at once. What a later one brings is not applied.
func landlockKnown() int {
	last := 0
	for _, r := range slices.Concat(fileRights, netRights, scopes) {
		last = max(last, r.abi)
	}
	return last
}

// known is the part of a table that this ABI has, and of that the named ones if names are given.
func known(table []right, abi int, names ...string) Arg {
	var fs []bit
	for _, r := range table {
		wanted := len(names) == 0
		for _, n := range names {
			wanted = wanted || n == r.name
		}
		if wanted && r.abi <= abi {
			fs = append(fs, r.bit)
		}
	}
	if len(fs) == 0 {
		return named("0", 0)
	}
	return flags(fs...)
}

// landlock refuses once more, by paths, what the empty rootfs leaves nothing of.
func (b *builder) landlock() {
	abi := b.facts.landlockABI
	files, net, scoped := known(fileRights, abi), known(netRights, abi), known(scopes, abi)
	ruleset := &unix.LandlockRulesetAttr{
		Handled_access_fs: uint64(files.value), Handled_access_net: uint64(net.value), Scoped: uint64(scoped.value)}
	id := layer.Landlock
	b.rows(step(id, "rules", sysLandlockCreate, "all that is handled and not allowed below is refused",
		mem(fmt.Sprintf("{fs=%s, net=%s, scoped=%s}", files.text, net.text, scoped.text), ruleset),
		number(int(unsafe.Sizeof(*ruleset))), number(0)).returning(b.in.lowest(), ""))
	allow := func(name, path, why string, rights []string) {
		granted := known(fileRights, abi, rights...)
		// The rule's descriptor is written down before there is one: the lowest free number.
		fd := b.in.lowest() + 1
		// The kernel's struct is packed and 12 bytes long, this one has 4 more behind it.
		rule := &unix.LandlockPathBeneathAttr{Allowed_access: uint64(granted.value), Parent_fd: int32(fd)}
		b.rows(
			step(id, "find-"+name, sysOpenat, "", cwd, str(path),
				flags(bit{"O_PATH", unix.O_PATH}, bit{"O_CLOEXEC", unix.O_CLOEXEC}), number(0)).returning(fd, ""),
			step(id, "allow-"+name, sysLandlockAdd, why, from("rules"),
				named("LANDLOCK_RULE_PATH_BENEATH", unix.LANDLOCK_RULE_PATH_BENEATH),
				mem(fmt.Sprintf("{%s, %d}", granted.text, fd), rule), number(0)),
			step(id, "drop-"+name, sysClose, "", number(fd)),
		)
	}
	allow("rootfs", "/", "the rootfs's files, as long as there are any", rootfsRights)
	for _, n := range b.spec.Root.Nodes {
		allow(string(n.Inside), string(n.Inside), "the device", nodeRights)
	}
	b.rows(
		step(id, "landlock", sysLandlockSelf, "", from("rules"), number(0)),
		step(id, "drop-rules", sysClose, "", from("rules")),
		step(id, "prove-landlock", sysOpenat, "it cannot be seen from outside, so it is tried here", cwd, str("/"),
			flags(bit{"O_RDONLY", unix.O_RDONLY}, bit{"O_DIRECTORY", unix.O_DIRECTORY}, bit{"O_CLOEXEC", unix.O_CLOEXEC}), number(0)).failing(unix.EACCES),
	)
}

// compiled is the spec's policy for this machine.
type compiled struct{ seccomp.Filter }

// sockFprog is struct sock_fprog.
type sockFprog struct {
	length uint16
	filter unsafe.Pointer
}

func fprog(name string, f seccomp.Filter) Arg {
	p := &sockFprog{length: uint16(len(f)), filter: unsafe.Pointer(unsafe.SliceData([]bpf.RawInstruction(f)))}
	return mem(fmt.Sprintf("{%s, %d instructions}", name, len(f)), p)
}

// filters come last: what follows them, the handing over and the exec, are calls that it knows.
func (b *builder) filters(c compiled) {
	listener := b.in.lowest()
	f := flags(bit{"NEW_LISTENER", unix.SECCOMP_FILTER_FLAG_NEW_LISTENER})
	if b.facts.notifyFlags != 0 {
		f = flags(bit{"NEW_LISTENER", unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}, bit{"WAIT_KILLABLE_RECV", b.facts.notifyFlags})
	}
	b.rows(
		step(layer.Seccomp, "filter-calls", sysSeccomp, "the calls of the policy pass, the keeper is asked about all others",
			named("SECCOMP_SET_MODE_FILTER", unix.SECCOMP_SET_MODE_FILTER), f, fprog("calls", c.Filter)).returning(listener, ""),
		step(layer.Seccomp, "hand-over-listener", sysSendmsg, "the keeper answers, and ends it",
			descriptor("sync", b.in.sync), mem(fmt.Sprintf("{SCM_RIGHTS, [%d]}", listener), rightsMessage(listener)),
			flags(bit{"MSG_NOSIGNAL", unix.MSG_NOSIGNAL})).returning(1, ""),
		step(layer.Seccomp, "drop-listener", sysClose, "no one in here may answer", number(listener)),
	)
}

// rightsMessage is a msghdr of one byte that carries fd.
func rightsMessage(fd int) *unix.Msghdr {
	control := unix.UnixRights(fd)
	var one [1]byte
	iov := &unix.Iovec{Base: &one[0], Len: 1}
	m := &unix.Msghdr{Iov: iov, Iovlen: 1, Control: &control[0]}
	m.SetControllen(len(control))
	return m
}
