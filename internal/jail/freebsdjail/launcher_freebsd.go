package freebsdjail

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/bpf"
	"skep/internal/jail"
)

// launcherName is the only argument of the process that becomes a hypervisor.
// It is no verb, so that nobody comes upon it. Not argument zero: where that is
// longer than the path, Go replaces it on FreeBSD (forkExec in syscall).
//
// Between fork and exec a Go program can do very little, and some of what a
// cell needs must be done by the process itself: procctl(2), jail_attach(2).
// So skep starts itself once more in this way. That process stands outside
// of the rootfs until it has all it needs, enters, and becomes the hypervisor; it
// opens nothing in between but the console's end of the null modem.
const launcherName = "(launcher)"

// launcherFD is the socket to the keeper. It is closed by exec, which is how
// the keeper sees that exec has happened.
const launcherFD = 3

// firstKept is the first of the descriptors that stay open in the hypervisor.
const firstKept = 4

// What a launcher can be asked to do.
const (
	doExec    = "exec"
	doDestroy = "destroy" // VMs, as a process of their jail
	doSocket  = "socket"  // make a socket in the jail's network, and hand it out
	doFrames  = "frames"  // hand out bpf(4), bound to an interface of the jail's network
	doQuiet   = "quiet"   // have the jail's network give itself no address
)

// destroyStep is what a launcher reports of once it is in the jail.
const destroyStep = "destroy the VM"

// command is what a launcher is to do, as one JSON text.
type command struct {
	Do     string       `json:"do"`
	JID    int          `json:"jid"`
	Path   string       `json:"path,omitempty"`
	Argv   []string     `json:"argv,omitempty"`
	UID    int          `json:"uid,omitempty"`
	GID    int          `json:"gid,omitempty"`
	Limits []jail.Limit `json:"limits,omitempty"`
	// Open is a device that is opened, inside, before exec, and closed by it.
	Open string `json:"open,omitempty"`
	Kept int    `json:"kept,omitempty"` // descriptors that stay open
	// VM is made inside before exec; or VMs are destroyed there.
	VM  string   `json:"vm,omitempty"`
	VMs []string `json:"vms,omitempty"`
	// Interface is one of the jail's network.
	Interface string `json:"interface,omitempty"`
	// Bound: it ends with its parent.
	Bound bool `json:"bound,omitempty"`
	Lack  Lack `json:"lack,omitzero"`
}

// report is what it answers.
type report struct {
	Ready bool   `json:"ready,omitempty"`
	Step  string `json:"step,omitempty"`
	Errno int    `json:"errno,omitempty"`
	// Ended are the VMs that were destroyed.
	Ended []string `json:"ended,omitempty"`
}

// LaunchIfAsked turns the process into a launcher where it was started as one.
// It must be called before anything else is done, and then does not return.
func LaunchIfAsked() {
	if len(os.Args) != 2 || os.Args[1] != launcherName {
		return
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // from here on every new thread or page may be over a limit
	buf := make([]byte, 256<<10)
	n, err := unix.Read(launcherFD, buf)
	if err != nil || n == 0 {
		os.Exit(1)
	}
	var o command
	if err := json.Unmarshal(buf[:n], &o); err != nil {
		os.Exit(1)
	}
	r, err := o.obey()
	step := r.Step
	errno, _ := err.(unix.Errno)
	if err != nil && errno == 0 {
		errno, step = unix.EINVAL, step+": "+err.Error()
	}
	r.Step, r.Errno = step, int(errno)
	say(r)
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func say(r report) {
	b, _ := json.Marshal(r)
	_, _ = unix.Write(launcherFD, append(b, '\n'))
}

// obey returns what came of it; with an error, the step that failed.
func (o command) obey() (r report, err error) {
	unix.CloseOnExec(launcherFD)
	if !o.Lack.Controls {
		if err := harden(); err != nil {
			return report{Step: "harden"}, err
		}
	}
	if o.Bound {
		if err := endWithParent(); err != nil {
			return report{Step: "end with the keeper"}, err
		}
	}
	if !o.Lack.ClosedFDs || !o.Lack.Jail() {
		closeDirectories()
	}
	control := vmmControl(-1)
	if o.VM != "" || len(o.VMs) > 0 {
		if control, err = openVMMControl(); err != nil {
			return report{Step: "open " + vmmctlPath}, err
		}
	}
	frames := -1
	if o.Do == doFrames {
		if frames, err = bpf.Device(true); err != nil {
			return report{Step: "open bpf(4)"}, err
		}
	}
	if o.Do == doExec {
		if err := o.settle(); err != nil {
			return report{Step: "take its groups"}, err
		}
	}
	if err := o.enter(); err != nil {
		return report{Step: "enter the jail"}, err
	}
	switch o.Do {
	case doExec:
		if o.VM != "" {
			if err := control.create(o.VM); err != nil {
				return report{Step: "make the VM " + o.VM}, err
			}
			control.close()
		}
		// The console's node is the cell's user's: root of a jail without allow.suser may not open it.
		if err := unix.Setresuid(o.UID, o.UID, o.UID); err != nil {
			return report{Step: "take its user"}, err
		}
		r.Step, err = o.exec()
		return r, err
	case doDestroy:
		return control.destroyAll(o.VMs)
	case doSocket:
		r.Step, err = handSocket()
		return r, err
	case doFrames:
		if err := bpf.Attach(frames, o.Interface, bpf.In, true); err != nil {
			return report{Step: "see the frames of " + o.Interface}, err
		}
		r.Step, err = handOut(frames)
		return r, err
	case doQuiet:
		if err := quiet(); err != nil {
			return report{Step: "have no address made"}, err
		}
		return report{}, nil
	}
	return report{Step: "understand " + o.Do}, unix.EINVAL
}

// destroyAll ends those of the VMs that are there and this jail's; the others are passed over.
func (c vmmControl) destroyAll(names []string) (r report, err error) {
	r.Step = destroyStep
	for _, name := range names {
		switch e := c.destroy(name); e {
		case nil:
			r.Ended = append(r.Ended, name)
		case unix.EINVAL, unix.ENOENT: // no VM of that name that this jail may see
		default:
			err = e
		}
	}
	return r, err
}

// enter goes into the jail, or where there is none on purpose into the rootfs.
func (o command) enter() error {
	if !o.Lack.Jail() {
		return attach(o.JID)
	}
	if err := unix.Chroot(o.Lack.Root); err != nil {
		return err
	}
	return unix.Chdir("/")
}

// inherited is how many descriptors are looked at for directories: what a caller left open is among
// the first.
const inherited = 1024

// closeDirectories closes each directory that whoever started skep left open. jail_attach(2) refuses
// a process that has one where its own root is not the system's (kern.chroot_allow_open_directories,
// sys/kern/kern_descrip.c). The other descriptors are closed by exec.
func closeDirectories() {
	for fd := launcherFD + 1; fd < inherited; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			unix.Close(fd)
		}
	}
}

// exec becomes the hypervisor, as the cell's user. The limits come last: this
// program could not live under them.
func (o command) exec() (step string, err error) {
	if o.Open != "" {
		fd, err := unix.Open(o.Open, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			return "open the console " + o.Open, err
		}
		_ = fd // exec closes it; by then the keeper has the other end
	}
	// What a terminal, a batch system or timeout(1) sends to a whole group is the keeper's to obey; an
	// ignored signal stays ignored in the hypervisor. SIGTERM is bhyve's power button, whoever sends it.
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT)
	// Everything that exec needs is made now.
	path, err := unix.BytePtrFromString(o.Path)
	if err != nil {
		return "exec", err
	}
	argv := make([]*byte, len(o.Argv)+1)
	for i, a := range o.Argv {
		if argv[i], err = unix.BytePtrFromString(a); err != nil {
			return "exec", err
		}
	}
	env := []*byte{nil}
	say(report{Ready: true})
	var word [1]byte
	if n, err := unix.Read(launcherFD, word[:]); err != nil || n != 1 {
		return "wait for the keeper", unix.ECANCELED
	}
	for _, l := range o.Limits {
		if err := limit(l); err != nil {
			return "limit " + l.Name, err
		}
	}
	for fd := firstKept; fd < firstKept+o.Kept; fd++ {
		if err := bare(fd); err != nil {
			return "take the rights of a lock", err
		}
	}
	if !o.Lack.ClosedFDs {
		// Whatever else was inherited from whoever started skep ends here.
		_, _, _ = unix.RawSyscall(unix.SYS_CLOSE_RANGE, uintptr(firstKept+o.Kept), uintptr(^uint32(0)), 0)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return "exec " + o.Path, errno
}

// settle takes the cell's groups, and its user as the real one: of these a process may make itself
// what it likes later, without a right (kern_setresuid in sys/kern/kern_prot.c). That later is in a
// jail whose root has none. Groups of whoever started skep are dropped even where bhyve must be root.
func (o command) settle() error {
	if err := unix.Setgroups(nil); err != nil {
		return err
	}
	if err := unix.Setresgid(o.GID, o.GID, o.GID); err != nil {
		return err
	}
	return unix.Setresuid(o.UID, -1, -1)
}

// bare takes every right from a descriptor but that of being open: a lock needs
// no other, rights(4).
func bare(fd int) error {
	none := [2]uint64{1 << 57, 1 << 58} // cap_rights_t of version 0, empty: CAPRIGHT of sys/capsicum.h
	_, _, errno := unix.RawSyscall(unix.SYS_CAP_RIGHTS_LIMIT, uintptr(fd), uintptr(unsafe.Pointer(&none)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// limitNumbers are the resources of setrlimit(2), sys/sys/resource.h.
var limitNumbers = map[string]int{
	"cpu": unix.RLIMIT_CPU, "fsize": unix.RLIMIT_FSIZE, "core": unix.RLIMIT_CORE, "stack": unix.RLIMIT_STACK,
	"memlock": 6, "nproc": 7, "nofile": unix.RLIMIT_NOFILE, "as": unix.RLIMIT_AS,
}

func limit(l jail.Limit) error {
	n, ok := limitNumbers[l.Name]
	if !ok {
		return fmt.Errorf("there is no limit %q", l.Name)
	}
	r := unix.Rlimit{Cur: int64(l.Value), Max: int64(l.Value)}
	return unix.Setrlimit(n, &r)
}

func setSysctl(node, value string) error {
	n, v := []byte(node), append([]byte(value), 0)
	_, _, errno := unix.RawSyscall6(unix.SYS___SYSCTLBYNAME, uintptr(unsafe.Pointer(&n[0])), uintptr(len(n)), 0, 0, uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)))
	if errno != 0 {
		return errno
	}
	return nil
}

// handSocket makes a TCP socket in the jail's network and hands it out. A
// socket belongs for ever to the network that it was made in, whoever has it.
func handSocket() (step string, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "make a socket", err
	}
	return handOut(fd)
}

// handOut gives the keeper a descriptor.
func handOut(fd int) (step string, err error) {
	if err := unix.Sendmsg(launcherFD, []byte("\n"), unix.UnixRights(fd), nil, 0); err != nil {
		return "hand out a descriptor", err
	}
	return "", nil
}

// quiet has interfaces of this network give themselves no address of IPv6, where the kernel has that.
func quiet() error {
	node, no := []byte("net.inet6.ip6.auto_linklocal"), int32(0)
	_, _, errno := unix.RawSyscall6(unix.SYS___SYSCTLBYNAME, uintptr(unsafe.Pointer(&node[0])), uintptr(len(node)), 0, 0,
		uintptr(unsafe.Pointer(&no)), unsafe.Sizeof(no))
	if errno != 0 && errno != unix.ENOENT {
		return errno
	}
	return nil
}
