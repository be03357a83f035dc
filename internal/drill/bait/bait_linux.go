package bait

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
)

// leakFrom is the number of the first leaked descriptor.
const leakFrom = 100

// systemBait is what only Linux has.
type systemBait struct {
	Group    string // a file that only a supplementary group of the caller's may read; "" if he has none
	Handle   []byte // a file handle of the bait's file, for open_by_handle_at(2)
	Abstract *net.UnixListener
	Shm, Key int // -1 where the host has none
}

var noBait = systemBait{Shm: -1, Key: -1}

// stateDirs are further places for scratch files.
var stateDirs = []string{"/var/lib"}

func noExec(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) != nil || st.Flags&unix.ST_NOEXEC != 0
}

// hide mounts over the directory what only this mount namespace has.
func (b *Bait) hide() error {
	if err := unix.Mount("skep-drill", b.Dir, "tmpfs", unix.MS_NOATIME, "mode=0711"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	b.later(func() { _ = unix.Unmount(b.Dir, unix.MNT_DETACH) })
	return nil
}

// system lays out the rest.
func (b *Bait) system() (err error) {
	if groups, gerr := os.Getgroups(); gerr == nil {
		path := filepath.Join(b.Dir, "group")
		for _, g := range groups {
			if g != os.Getegid() && os.WriteFile(path, []byte(Text), 0o600) == nil && os.Chown(path, -1, g) == nil {
				b.Own.Group, err = path, os.Chmod(path, 0o040)
			}
		}
	}
	if err != nil {
		return err
	}
	if h, _, herr := unix.NameToHandleAt(unix.AT_FDCWD, b.File, 0); herr == nil {
		b.Own.Handle = append(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(h.Size())), uint32(h.Type())), h.Bytes()...)
	}
	if b.Own.Abstract, err = net.ListenUnix("unix", &net.UnixAddr{Name: "@skep-drill-" + strconv.Itoa(os.Getpid())}); err != nil {
		return err
	}
	b.later(func() { b.Own.Abstract.Close() })
	b.memory()
	return nil
}

// BystanderCommand starts the attacker's own program with commands that never come.
func BystanderCommand(program string, commands *os.File) *exec.Cmd {
	return &exec.Cmd{Path: program, Args: []string{"+skep-drill-bystander", "", ""}, Env: []string{}, ExtraFiles: []*os.File{commands},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
}

// memory is what is shared by name: a System V segment, a key. A host may have neither.
func (b *Bait) memory() {
	if id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o666); err == nil {
		b.Own.Shm = id
		b.later(func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
		if p, err := unix.SysvShmAttach(id, 0, 0); err == nil {
			copy(p, Text)
			_ = unix.SysvShmDetach(p)
		}
	}
	if id, err := b.addKey(); err == nil {
		b.Own.Key = id
		b.later(func() { _, _ = unix.KeyctlInt(unix.KEYCTL_REVOKE, b.Own.Key, 0, 0, 0) })
	}
}

// addKey puts a key into the session keyring of the calling thread. In a throwaway host that is the
// whole process's; elsewhere it is made for the thread, as those of a program in Go share none.
func (b *Bait) addKey() (int, error) {
	name := "skep-drill-" + strconv.Itoa(os.Getpid())
	if !b.Hidden {
		if _, err := unix.KeyctlJoinSessionKeyring(name); err != nil {
			return -1, err
		}
	}
	return unix.AddKey("user", name, []byte(Text), unix.KEY_SPEC_SESSION_KEYRING)
}

// NeighbourDisks is a disk for the neighbour: a layer of its own, on a base of the drill's.
func NeighbourDisks(dir string) ([]cell.Disk, error) {
	base, err := ScratchDisk(dir, "neighbour-base")
	return []cell.Disk{{Label: "own", Base: base, Format: cell.FormatRaw, Disposable: true, Model: "virtio"}}, err
}

// Careless starts something as a caller would who has his addresses fixed for debugging and keys in
// his keyring.
func Careless[T any](b *Bait, start func() (T, error)) (T, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if old, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, AddrNoRandomize, 0, 0); errno == 0 {
		defer unix.RawSyscall(unix.SYS_PERSONALITY, old, 0, 0)
	}
	if id, err := b.addKey(); err == nil {
		b.Own.Key = id
	}
	return start()
}

// AddrNoRandomize is ADDR_NO_RANDOMIZE of personality(2).
const AddrNoRandomize = 0x0040000
