package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"skep/internal/fault"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/unixsock"
)

func acquireBridge(b *plan.Bridge) (made bool, err error) {
	if b.Create {
		made, err = network.MakeBridge(b.Name, b.Tag, b.Uplink, b.VLANs)
		if err != nil {
			return made, fault.Wrap(fault.Input, err, "", "make bridge %s", b.Name)
		}
		return made, nil
	}
	if err := network.FindBridge(b.Name); err != nil {
		return false, &fault.Error{Code: fault.Input, Op: "use bridge", Subject: b.Name, Err: err,
			Hint: fmt.Sprintf("ifconfig bridge create name %s up; or bridge %q { create = true } in the cell file", b.Name, b.Name)}
	}
	return false, nil
}

func (t *bsdProvisioner) acquireTap(s *plan.Tap) error {
	if s.Admin {
		if _, err := network.OpenAdminTap(s.Name); err != nil {
			return fault.Wrap(fault.Input, err, "ifconfig "+s.Name+" create", "use tap %s for network card %q", s.Name, s.Label)
		}
		return nil
	}
	if s.Stack != "" {
		return acquireStackTap(s)
	}
	_, err := onBridge(t.plan, s, func() (*network.Tap, error) { return network.OpenTap(s.Name, s.Tag, s.Bridge, portOf(s)) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, network.ErrForeign):
		return fault.Wrap(fault.Host, err, "ifconfig "+s.Name+" shows whose it is", "give network card %q a tap", s.Label)
	}
	return fault.Wrap(fault.Host, err, "kldload if_tuntap", "give network card %q a tap", s.Label)
}

// acquireScratchCopy copies an image; one that an interrupted start has left is made anew.
func acquireScratchCopy(ctx context.Context, d *plan.ScratchCopy) error {
	cannot := func(err error) error {
		return fault.Wrap(fault.Host, err, "df "+filepath.Dir(d.Dir)+" shows how much room there is", "copy %s for bhyveload", d.From)
	}
	if err := os.RemoveAll(d.Dir); err != nil {
		return cannot(err)
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return cannot(err)
	}
	in, err := openPlain(d.From)
	if err != nil {
		return cannot(err)
	}
	defer in.Close()
	out, err := os.OpenFile(d.Path(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return cannot(err)
	}
	// In parts: the end of ctx is seen between them.
	const part = 16 << 20
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(out, in, part)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return cannot(err)
	}
	return nil
}

// acquireVars copies the firmware's template once and locks the cell's own copy.
func (t *bsdProvisioner) acquireVars(v *plan.Vars) error {
	f, err := openVars(t.cell.Name, v, "pkg install -f edk2-bhyve")
	t.hold("vars", f)
	return err
}

// checkFirmware looks at what the guest executes first; it is copied into the
// rootfs with the rest.
func checkFirmware(s *plan.Firmware) error {
	if s.From == plan.BuiltinHello {
		return nil
	}
	f, err := openPlain(s.From)
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "read the firmware %s", s.From)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	const page, largest = 4096, 16 << 20
	if n := info.Size(); n == 0 || n%page != 0 || n > largest {
		return fault.New(fault.Input, "a firmware image is a whole number of 4096-byte pages, 16 MiB at most", "use the firmware %s: it has %d bytes", s.From, n)
	}
	return nil
}

// acquireLog opens a log. The console's has one writer, this process, which
// bounds it as it writes.
func (t *bsdProvisioner) acquireLog(l *plan.Log) error {
	f, err := t.logs.open(t.env.Notify, l, l.Name != "console-log")
	t.hold(l.Name, f)
	return err
}

func (t *bsdProvisioner) acquireSocket(s *plan.Socket) error {
	l, err := unixsock.Listen(s.Path)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "listen on %s", s.Path)
	}
	t.sockets[s.Name] = &listener{UnixListener: l}
	return nil
}
