package drill

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"skep/internal/drill/bait"
	"syscall"

	"golang.org/x/sys/unix"
)

// ApartGroup is a supplementary group of whoever drills in a throwaway host.
const ApartGroup = 54322

// Apart starts a command in a throwaway host: with mounts, a network, a name and shared memory that
// are gone with it; and carelessly: with addresses fixed for debugging, and a keyring for all of its
// threads. It is root's.
func Apart(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Credential: &syscall.Credential{Groups: []uint32{ApartGroup}},
	}
	// The child has these of the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := unix.KeyctlJoinSessionKeyring("skep-drill"); err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("cannot furnish the throwaway host: keyring: %w", err)
	}
	if old, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, bait.AddrNoRandomize, 0, 0); errno == 0 {
		defer unix.RawSyscall(unix.SYS_PERSONALITY, old, 0, 0)
	}
	return cmd.Start()
}

// Furnish is to be called first in a throwaway host: nothing that is mounted shows outside, and its
// network has what a host's would have to be attacked.
func Furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot furnish the throwaway host: mounts: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot furnish the throwaway host: socket: %w", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("cannot furnish the throwaway host: lo: %w", err)
	}
	alias, err := unix.NewIfreq("lo:1")
	if err == nil {
		if err = alias.SetInet4Addr(net.IPv4(169, 254, 169, 254).To4()); err == nil {
			err = unix.IoctlIfreq(fd, unix.SIOCSIFADDR, alias)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot furnish the throwaway host: its address: %w", err)
	}
	return nil
}
