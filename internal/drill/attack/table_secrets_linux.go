package attack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// secretAttempts look for what a cell is not told. They come last: one compares this attacker with
// those before it.
var secretAttempts = []Attempt{
	{ID: "environment", Tries: "find the caller's environment in its memory",
		By: "empty-env", Want: "absent", Single: "what is not handed over needs no second refusal", Do: code(environment)},
	{ID: "addresses-random", Tries: "know where its memory lies from an earlier run",
		By: "aslr", Want: "elsewhere", Single: "nothing else moves memory", Do: code(sameAddresses)},
	{ID: "host-name", Tries: "learn the host's name",
		By: "uts-namespace two-phases", Want: "EPERM | another name", Do: code(learnName)},
	{ID: "host-cgroups", Tries: "learn where it stands in the host's control groups",
		By: "cgroup-namespace private-root two-phases", Want: "ENOENT | EPERM", Do: code(learnGroups)},
	{ID: "host-memory", Tries: "learn how large and how busy the host is",
		Early: "the C library asks for it; it is a number",
		By:    "two-phases", Want: "EPERM", Single: singlePhase, Do: try(unix.SYS_SYSINFO, space(128))},
	{ID: "host-numbers", Tries: "learn its own process number on the host",
		By: "pid-namespace", Want: "another number | EPERM", Single: "the number alone is of no use: the calls that take it are refused", Do: code(learnPID)},
	{ID: "last-to-die", Tries: "outlive the host's services when memory runs out",
		By: "oom-score", Want: "chosen first", Single: "a preference, for when the bounds of memory were set too high", Do: code(lastToDie)},
}

func environment(s *Fixture) Outcome {
	// argc, argv, NULL, then the environment, NULL, and the auxiliary vector.
	from := s.Stack + 8*uint64(len(s.Spec.Argv)+2)
	if first := binary.LittleEndian.Uint64(s.get(from, 8)); first == 0 {
		return stopped(absent)
	} else if bytes.Contains(s.get(first, 1024), []byte("=")) {
		return escaped("its environment is not empty")
	}
	return stopped(absent)
}

// auxiliary reads one value of the auxiliary vector.
func (s *Fixture) auxiliary(key uint64) uint64 {
	at := s.Stack + 8
	for zeros := 0; zeros < 2; at += 8 {
		if binary.LittleEndian.Uint64(s.get(at, 8)) == 0 {
			zeros++
		}
	}
	for range 40 {
		pair := s.get(at, 16)
		if len(pair) < 16 || binary.LittleEndian.Uint64(pair) == 0 {
			break
		}
		if binary.LittleEndian.Uint64(pair) == key {
			return binary.LittleEndian.Uint64(pair[8:])
		}
		at += 16
	}
	return 0
}

func sameAddresses(s *Fixture) Outcome {
	n := len(*s.Stacks)
	if n > 1 && slices.Contains((*s.Stacks)[:n-1], s.Stack) {
		return escaped(fmt.Sprintf("its stack is at %#x again", s.Stack))
	}
	return stopped("elsewhere")
}

func learnName(s *Fixture) Outcome {
	buf := s.put(make([]byte, 390))
	if o, failed := s.call(unix.SYS_UNAME, buf).failed(); failed {
		return o
	}
	name := unix.ByteSliceToString(s.get(buf+65, 65))
	if host, err := os.Hostname(); err == nil && host != name {
		return stopped("another name")
	}
	return escaped("it is called " + name)
}

func learnGroups(s *Fixture) Outcome {
	r := s.call(unix.SYS_OPENAT, atCWD, "/proc/self/cgroup", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	buf := s.put(make([]byte, 4096))
	n := s.call(unix.SYS_READ, r.value, buf, 4096)
	if o, failed := n.failed(); failed {
		return o
	}
	for line := range strings.Lines(string(s.get(buf, int(n.value)))) {
		if _, path, ok := strings.Cut(strings.TrimSpace(line), ":/"); ok && path != "" {
			return escaped("it is in /" + path)
		}
	}
	return stopped("a root of its own")
}

func learnPID(s *Fixture) Outcome {
	r := s.call(unix.SYS_GETPID)
	if o, failed := r.failed(); failed {
		return o
	}
	if int(r.value) == s.Proc.Pid() {
		return escaped(fmt.Sprintf("it is process %d", r.value))
	}
	return stopped("another number")
}

// lastToDie asks the kernel whom it would choose.
func lastToDie(s *Fixture) Outcome {
	score := func(pid string) (n int) {
		b, _ := os.ReadFile("/proc/" + pid + "/oom_score")
		_, _ = fmt.Sscan(string(b), &n)
		return n
	}
	if its, ours := score(fmt.Sprint(s.Proc.Pid())), score("self"); its <= ours {
		return escaped(fmt.Sprintf("its score is %d, that of a process of the host %d", its, ours))
	}
	return stopped("chosen first")
}
