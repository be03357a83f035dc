package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"skep/guest/hello"
	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/jail/linuxjail"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// linuxProvisioner acquires resources on Linux.
type linuxProvisioner struct {
	config
	// files are the descriptors for the hypervisor, by name, as the plan lists
	// them. They are closed when the resource that opened them is released.
	files    map[string]*os.File
	screens  []*screenServer
	logs     *logs
	workers  *workers
	qemu     *qemuMachine
	kept     map[string]*kept
	claims   map[string]net.Listener // of segments' names, by card
	executed chan struct{}           // closed when the hypervisor's program begins
	tpm      *linuxjail.Process
	tpmEnded chan struct{}   // closed when the TPM is let go of
	served   []store.Service // as a dead keeper wrote them down; of an adopted cell
	sameBoot bool
}

// system is this host's provisioner, for the table of kinds.
type system = *linuxProvisioner

// New returns what acquires the resources of one life of a cell.
func New(c Config) Provisioner {
	go emptyMounts() // ready when the jail is due
	t := &linuxProvisioner{config: c.unpack(), files: map[string]*os.File{}, kept: map[string]*kept{}, claims: map[string]net.Listener{}, sameBoot: true,
		executed: make(chan struct{})}
	t.logs = newLogs(t.trim)
	return t
}

// emptyMounts is where jails are built from. Without root, or where there can be none, they are built from
// among the host's mounts.
func emptyMounts() *linuxjail.EmptyMounts {
	if os.Geteuid() != 0 {
		return nil
	}
	n, err := linuxjail.SharedEmptyMounts()
	if err != nil {
		return nil
	}
	return n
}

// Sweeper releases what another process acquired. What an earlier boot acquired is
// gone, but for files.
func Sweeper(sameBoot bool) Provisioner {
	return &linuxProvisioner{config: Config{}.unpack(), files: map[string]*os.File{}, kept: map[string]*kept{}, logs: newLogs(console.Trim), sameBoot: sameBoot}
}

func (t *linuxProvisioner) Machine() Machine {
	if t.qemu == nil {
		return nil
	}
	return t.qemu
}

// Acquire implements Provisioner.
func (t *linuxProvisioner) Acquire(ctx context.Context, r plan.Resource) (store.Held, error) {
	k, err := row(r)
	if err != nil {
		return store.Held{}, err
	}
	return k.acquire(t, call{ctx: ctx, r: r})
}

// Release implements Provisioner.
func (t *linuxProvisioner) Release(ctx context.Context, r plan.Resource, h store.Held) error {
	k, err := row(r)
	if err != nil {
		return err
	}
	return k.release(t, call{ctx: ctx, r: r, held: h})
}

// Look implements Provisioner.
func (t *linuxProvisioner) Look(r plan.Resource, disks map[string]*os.File) []error {
	k, err := row(r)
	if err != nil {
		return []error{err}
	}
	return k.look(t, call{r: r, disks: disks})
}

func (t *linuxProvisioner) hold(name string, f *os.File) {
	if f != nil {
		t.files[name] = f
	}
}

func (t *linuxProvisioner) drop(name string) {
	if f := t.files[name]; f != nil {
		f.Close()
		delete(t.files, name)
	}
}

func acquireBridge(b *plan.Bridge) (made bool, err error) {
	if b.Create {
		made, err = network.MakeBridge(b.Name, b.Tag, b.Uplink, b.VLANs)
		if err != nil {
			return made, bridgeFault(b, err)
		}
		return made, nil
	}
	if err := network.FindBridge(b.Name); err != nil {
		hint := fmt.Sprintf("ip link add %s type bridge && ip link set %s up; or bridge %q { create = true } in the cell file", b.Name, b.Name, b.Name)
		if errors.Is(err, network.ErrNotBridge) {
			hint = "ip link show type bridge lists those there are"
		}
		return false, &fault.Error{Code: fault.Input, Op: "use bridge", Subject: b.Name, Err: err, Hint: hint}
	}
	return false, nil
}

// bridgeFault says of a bridge that could not be made who can fix that.
func bridgeFault(b *plan.Bridge, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Host, err, "have root make a tap that is yours, and name it: nic \"lan\" { tap = \"tap0\" }", "have bridge %s", b.Name)
	case b.Uplink != "":
		return fault.Wrap(fault.Input, err, "ip link shows the interfaces of this host; an uplink is an Ethernet card that is on no bridge", "have bridge %s with the uplink %s", b.Name, b.Uplink)
	}
	return fault.Wrap(fault.Input, err, "ip link show "+b.Name+" tells more", "have bridge %s", b.Name)
}

func (t *linuxProvisioner) acquireTap(s *plan.Tap) error {
	tap, err := onBridge(t.plan, s, func() (*network.Tap, error) { return openTap(s) })
	if err != nil {
		return err
	}
	t.hold("tap:"+s.Label, tap.File)
	return claimCard(s)
}

// openTap opens a tap of the admin's, or makes one for the cell.
func openTap(s *plan.Tap) (tap *network.Tap, err error) {
	if s.Admin {
		tap, err = network.OpenAdminTap(s.Name)
	} else {
		tap, err = network.OpenTap(s.Name, s.Tag, s.Bridge, portOf(s))
	}
	switch {
	case err == nil:
		return tap, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Wrap(fault.Host, err, "modprobe tun", "give network card %q a tap", s.Label)
	case errors.Is(err, network.ErrNoVLANs):
		return nil, fault.Wrap(fault.Host, err, "ip link set "+s.Bridge+" type bridge vlan_filtering 1", "give network card %q a tap", s.Label)
	case errors.Is(err, network.ErrNoPolicing), errors.Is(err, network.ErrNoShaping):
		return nil, fault.Wrap(fault.Host, err, "modprobe sch_tbf sch_ingress cls_matchall act_police; or leave rate_in and rate_out out",
			"give network card %q a tap", s.Label)
	case errors.Is(err, fs.ErrPermission):
		return nil, fault.Wrap(fault.Host, err, "run as root, or name a tap of yours (ip tuntap add mode tap user $USER)", "give network card %q a tap", s.Label)
	case s.Admin:
		hint := "ip tuntap add dev " + s.Name + " mode tap"
		switch {
		case errors.Is(err, network.ErrNotTap):
			hint = "ip tuntap show lists those there are"
		case errors.Is(err, unix.EBUSY):
			hint = "stop the cell or program that has it"
		}
		return nil, fault.Wrap(fault.Input, err, hint, "use tap %s for network card %q", s.Name, s.Label)
	}
	return nil, fault.Wrap(fault.Host, err, "", "give network card %q a tap", s.Label)
}

// acquireVars copies the firmware's template once and opens the cell's own copy.
func (t *linuxProvisioner) acquireVars(v *plan.Vars) error {
	f, err := openVars(t.cell.Name, v, "apt install --reinstall ovmf")
	t.hold("flash-vars", f)
	return err
}

func (t *linuxProvisioner) acquireFirmware(s *plan.Firmware) error {
	f, err := openFirmware(s)
	t.hold("flash-code", f)
	return err
}

// openFirmware opens what the guest executes first.
func openFirmware(s *plan.Firmware) (*os.File, error) {
	if s.From == plan.BuiltinHello {
		return memfile("hello", hello.ROM())
	}
	f, err := openPlain(s.From)
	if err != nil {
		return nil, fault.Wrap(fault.Input, err, pathHint(err), "read the firmware %s", s.From)
	}
	info, err := f.Stat()
	const page, largest = 4096, 8 << 20 // QEMU's max-fw-size, for both flash chips
	if err == nil && info.Size() > largest {
		f.Close()
		return nil, fault.New(fault.Input, "QEMU takes 8 MiB at most", "use the firmware %s: it has %d bytes", s.From, info.Size())
	}
	if err == nil && (info.Size() == 0 || info.Size()%page != 0) {
		f.Close()
		return nil, fault.New(fault.Input, "a firmware image is a whole number of 4096-byte pages", "use the firmware %s: it has %d bytes", s.From, info.Size())
	}
	return f, err
}

// memfile is bytes as a sealed file without a name: memfd_create(2).
func memfile(name string, b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	w := os.NewFile(uintptr(fd), name)
	defer w.Close()
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE); err != nil {
		return nil, err
	}
	// QEMU wants a descriptor of exactly the access mode that it opens with.
	return os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDONLY, 0)
}

func (t *linuxProvisioner) acquireLog(l *plan.Log) error {
	f, err := t.logs.open(t.env.Notify, l, true)
	t.hold(l.Name, f)
	return err
}

func (t *linuxProvisioner) acquireSocket(s *plan.Socket) error {
	if s.Listen != "" {
		l, err := listenTCP(haveDebug, debugHint, s.Listen)
		if err != nil {
			return err
		}
		f, err := l.File()
		l.Close()
		t.hold(s.Name, f)
		return err
	}
	l, err := unixsock.Listen(s.Path)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "listen on %s", s.Path)
	}
	// The hypervisor alone accepts on these.
	f, err := l.File()
	l.Close()
	t.hold(s.Name, f)
	return err
}

// SlotBusy asks the kernel whether a uid's cell lives that our store does not
// know of: one of another run directory. The control group's name is the uid,
// so it is the one place where all of a host's cells meet.
func SlotBusy(p *plan.Plan) bool {
	for _, g := range plan.Specs[*plan.Cgroup](p) {
		b, err := os.ReadFile(g.Path + "/cgroup.procs")
		if err == nil && len(strings.TrimSpace(string(b))) > 0 {
			return true
		}
		dir, err := lockGroup(g.Path)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return true // it starts or ends
		}
		if err == nil {
			dir.Close()
		}
	}
	return false
}
