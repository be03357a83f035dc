package linuxjail

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
)

// SharedEmptyMounts is this process's, made at the first call: that one pays for the host's mounts, and a
// keeper makes it while it acquires what comes before the jail. It needs root. Nothing holds it but a
// descriptor, so it goes with the process.
var SharedEmptyMounts = sync.OnceValues(newEmptyMounts)

func newEmptyMounts() (n *EmptyMounts, err error) {
	onOwnThread(func() { n, err = makeEmptyMounts() })
	if err != nil {
		return nil, fmt.Errorf("cannot make an empty mount namespace: %w", err)
	}
	return n, nil
}

// makeEmptyMounts has this thread leave the host's mounts. It must end after that.
func makeEmptyMounts() (*EmptyMounts, error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("unshare: %w", err)
	}
	// Before anything else, or what follows would be done to the host's mounts too.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	space, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return nil, err
	}
	empty := emptyRoot
	if onInitialRoot() {
		empty = coverInitialRoot
	}
	if err := empty(); err != nil {
		space.Close()
		return nil, err
	}
	return &EmptyMounts{space}, nil
}

// emptyTmpfs is a detached root with nothing in it.
func emptyTmpfs() (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(fs)
	for _, o := range [][2]string{{"size", "4096"}, {"nr_inodes", "1"}, {"mode", strconv.FormatInt(dirMode, 8)}} {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return -1, fmt.Errorf("fsconfig %s: %w", o[0], err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("fsconfig: %w", err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, int(flags(rdonly, nodev, nosuid, noexec).value))
	if err != nil {
		return -1, fmt.Errorf("fsmount: %w", err)
	}
	return root, nil
}

// emptyRoot puts an empty root in the place of all mounts of this thread's namespace.
func emptyRoot() error {
	root, err := emptyTmpfs()
	if err != nil {
		return err
	}
	defer unix.Close(root)
	if err := unix.MoveMount(root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	if err := unix.Fchdir(root); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount2: %w", err)
	}
	return nil
}

// enter has this thread, which must end after that, live in the empty mount namespace.
func (n *EmptyMounts) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // other threads keep their root
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Setns(int(n.space.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("setns: %w", err)
	}
	return nil
}

// cloneFrom is the empty mount namespace that a child can be cloned in: one that takes nothing of the host by its path,
// and that leaves the namespace it is born with.
func (s Spec) cloneFrom() *EmptyMounts {
	if s.Identity.Mapping != jail.ByRoot || !layer.On(s.Layers, layer.MountNamespace) || !layer.On(s.Layers, layer.PrivateRoot) {
		return nil
	}
	return s.EmptyMounts
}

// onOwnThread runs f on a thread that nothing else runs on, and that ends with it.
func onOwnThread(f func()) {
	done := make(chan struct{})
	var thread func()
	thread = func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// The main thread does not end before its process: any other will do.
			defer runtime.UnlockOSThread()
			other := make(chan struct{})
			go func() { defer close(other); thread() }()
			<-other
			return
		}
		f() // never unlocked: the thread ends with this goroutine
	}
	go func() { defer close(done); thread() }()
	<-done
}
