package linuxjail

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const prisonerName = "skep-test-prisoner"

// report is what the prisoner sees of its jail.
type report struct {
	UID, GID, PID, PPID int
	Groups              []int
	Hostname            string
	Links               []string
	Env                 []string
	Limits              map[string]uint64
	Kernel              int // bytes of the copied file
	Tries               map[string]string
}

// prisoner answers each request with a report until its keeper hangs up.
func prisoner() {
	talk := os.NewFile(3, "talk")
	requests := bufio.NewScanner(talk)
	for requests.Scan() {
		r := report{Tries: map[string]string{}}
		switch request, name, _ := strings.Cut(requests.Text(), " "); request {
		case "look":
			r = look()
		case "try":
			r.Tries[name] = try(name)
		case "exit":
			code, _ := strconv.Atoi(name)
			os.Exit(code)
		}
		line, err := json.Marshal(r)
		if err != nil {
			os.Exit(99)
		}
		if _, err := talk.Write(append(line, '\n')); err != nil {
			os.Exit(98)
		}
	}
	time.Sleep(time.Second) // long enough to be seen alive without a keeper
}

func look() report {
	r := report{UID: os.Getuid(), GID: os.Getgid(), PID: os.Getpid(), PPID: os.Getppid(), Env: os.Environ(), Limits: map[string]uint64{}}
	r.Groups, _ = os.Getgroups()
	r.Hostname = hostname()
	for i := 1; ; i++ { // netlink is not needed to see that there is nothing but lo
		link, err := linkName(i)
		if err != nil {
			break
		}
		r.Links = append(r.Links, link)
	}
	for name, res := range map[string]int{"core": unix.RLIMIT_CORE, "nofile": unix.RLIMIT_NOFILE, "memlock": unix.RLIMIT_MEMLOCK} {
		var l unix.Rlimit
		if err := unix.Prlimit(0, res, nil, &l); err == nil {
			r.Limits[name] = l.Max
		}
	}
	if b, err := os.ReadFile("/boot/kernel"); err == nil {
		r.Kernel = len(b)
	}
	return r
}

func hostname() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(u.Nodename[:])
}

func linkName(index int) (string, error) {
	link, err := net.InterfaceByIndex(index)
	if err != nil {
		return "", err
	}
	return link.Name, nil
}

// tries are attempts by name: what each gives is compared with the layer that has to stop it.
var tries = map[string]func() error{
	"mmap-wx": func() error {
		_, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
		return err
	},
	"mprotect-gain": func() error {
		p, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return err
		}
		return raw(unix.SYS_MPROTECT, uintptr(p), 4096, unix.PROT_READ|unix.PROT_EXEC)
	},
	"map-copy-exec": func() error { return mapExec("/boot/kernel") },
	"map-data-exec": func() error { return mapExec("/share/os-release") },
	"map-own-exec":  func() error { return mapExec("/bin/prisoner") },
	"list-root":     func() error { return open("/", unix.O_RDONLY|unix.O_DIRECTORY) },
	"read-file":     func() error { return open("/share/os-release", unix.O_RDONLY) },
	"open-null":     func() error { return open("/dev/null", unix.O_RDWR) },
	"read-host":     func() error { return open("/etc/passwd", unix.O_RDONLY) },
	"climb-out":     func() error { return open("/../../../../etc/passwd", unix.O_RDONLY) },
	"create-file":   func() error { return open("/new", unix.O_RDWR|unix.O_CREAT) },
	"write-file":    func() error { return open("/boot/kernel", unix.O_WRONLY) },
	"mknod":         func() error { return unix.Mknod("/null", unix.S_IFCHR|0o666, 0x103) },
	"mount":         func() error { return unix.Mount("none", "/boot", "tmpfs", 0, "") },
	"remount":       func() error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, "") },
	"chroot":        func() error { return unix.Chroot("/boot") },
	"setuid":        func() error { return raw(unix.SYS_SETRESUID, 0, 0, 0) },
	"sethostname":   func() error { return unix.Sethostname([]byte("x")) },
	"raise-nofile":  func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 65, Max: 65}) },
	"exec-self":     func() error { return unix.Exec("/bin/prisoner", []string{"x", "exit"}, nil) },
	"execveat-self": func() error {
		p, _ := unix.BytePtrFromString("/bin/prisoner")
		argv := []*byte{p, nil}
		return raw(unix.SYS_EXECVEAT, 99, uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&argv[0])))
	},
	"clone3":      func() error { return raw(unix.SYS_CLONE3, 0, 0, 0) },
	"bpf":         func() error { return raw(unix.SYS_BPF, 0, 0, 0) },
	"start-only":  func() error { return raw(unix.SYS_PERSONALITY, 0xffffffff, 0, 0) },
	"future-call": func() error { return raw(999, 0, 0, 0) },
	"bind-tcp": func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Bind(fd, &unix.SockaddrInet4{Port: 8080, Addr: [4]byte{127, 0, 0, 1}})
	},
	"nested-userns": func() error {
		runtime.LockOSThread() // not unlocked: the thread goes with its namespace
		return unix.Unshare(unix.CLONE_NEWNET)
	},
}

func try(name string) string {
	result := make(chan string)
	go func() {
		f, ok := tries[name]
		if !ok {
			result <- "no such attempt"
			return
		}
		err := f()
		switch e, isErrno := err.(unix.Errno); {
		case err == nil:
			result <- "ok"
		case isErrno:
			result <- unix.ErrnoName(e)
		default:
			result <- err.Error()
		}
	}()
	return <-result
}

func open(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o644)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func mapExec(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.MmapPtr(fd, 0, nil, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
	return err
}

func raw(number, a, b, c uintptr) error {
	if _, _, errno := unix.RawSyscall(number, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

func itoa(n int) string { return strconv.Itoa(n) }

func parseInt(s string) (int, error) { return strconv.Atoi(s) }
