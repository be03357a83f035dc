package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// decode reads what a command has printed for programs.
func (l *lab) decode(r result, v any) {
	l.t.Helper()
	if err := json.Unmarshal([]byte(r.out), v); err != nil {
		l.t.Fatalf("%v\n%s", err, r)
	}
}

// ranges are how many ranges of subordinate ids labs have been given.
var ranges atomic.Int32

// ordinary makes the lab an ordinary user's: its commands run as somebody who is in no passwd(5) but
// that of their own mount namespace, with a range of subordinate ids or without.
func (l *lab) ordinary(subids bool) {
	l.t.Helper()
	if f, _ := facts(); f.Linux.UserNSOff != "" || f.Linux.UserNSRestricted {
		l.t.Skip("this host lets ordinary users have no user namespace")
	}
	for _, tool := range []string{"unshare", "setpriv", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			l.t.Skip("needs " + tool + " of util-linux")
		}
	}
	if _, err := exec.LookPath("newuidmap"); subids && err != nil {
		l.t.Skip("needs newuidmap: apt install uidmap")
	}
	// Two users have two ranges, and labs go on beside each other.
	subBase := 1_900_000_000 + (os.Getpid()%200*16+int(ranges.Add(1)%16))*65536
	l.user = l.uidBase + 2*labUIDs - 1 // nobody's, and seen as this lab's
	passwd := l.write("passwd", fmt.Sprintf("root:x:0:0::/root:/bin/sh\nlabrat:x:%d:%d::%s:/bin/sh\n", l.user, l.user, l.dir))
	text := ""
	if subids {
		text = fmt.Sprintf("labrat:%d:65536\n", subBase)
	}
	sub := l.write("subid", text)
	script := `mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/subuid && mount --bind "$2" /etc/subgid && shift 2 && exec setpriv "$@"`
	l.as = []string{"unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", passwd, sub,
		"--reuid=" + strconv.Itoa(l.user), "--regid=" + strconv.Itoa(l.user), "--clear-groups", "--inh-caps=-all"}
	// The last number is the user's own, so it is no cell's.
	l.env = append(l.env, "SKEP_UID_COUNT="+strconv.Itoa(labUIDs-1), "HOME="+l.dir, "XDG_RUNTIME_DIR=", "XDG_STATE_HOME=", "XDG_CONFIG_HOME=")
	l.ours()
}

// ours gives all files of the lab to whoever its commands run as.
func (l *lab) ours() {
	l.t.Helper()
	if l.user == 0 {
		return
	}
	err := filepath.WalkDir(l.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, l.user, l.user)
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

const filteredArg = "_filtered"

// filtered is a parent with seccomp filters of its own, as a service of systemd's has and a container.
func filtered() []string {
	exe, err := os.Executable()
	if err != nil {
		exe = "/proc/self/exe"
	}
	return []string{exe, filteredArg}
}

// became is the part of this program that such a parent is. It does not return if it is one.
func became() {
	if len(os.Args) < 3 || os.Args[1] != filteredArg {
		return
	}
	runtime.LockOSThread() // a filter is a thread's
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_REBOOT, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	for range 3 {
		if err == nil {
			err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
		}
	}
	if err == nil {
		err = syscall.Exec(os.Args[2], os.Args[2:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "filtered:", err)
	os.Exit(127)
}
