package linuxjail

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// insideWait bounds the run of a program inside.
const insideWait = 10 * time.Second

// Inside runs this very program with other arguments in the user namespace of a process, and
// returns what it wrote to standard output.
//
// It is how an ordinary user whose cells have numbers of their own (/etc/subuid) looks at one. The
// namespace is that user's, who has every right over it from outside (user_namespaces(7)); but the
// files of /proc/PID belong to the cell's number, and only a member of the namespace may pass that
// by. Of all rights there the program keeps the two for looking, as ambient ones
// (capabilities(7)), since its own number has none in there.
func Inside(pid int, argv ...string) ([]byte, error) {
	cannot := func(err error) error { return fmt.Errorf("cannot look into process %d: %w", pid, err) }
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, cannot(err)
	}
	defer unix.Close(pidfd)
	var reports, out [2]int
	if err := unix.Pipe2(reports[:], unix.O_CLOEXEC); err != nil {
		return nil, cannot(err)
	}
	l := &launch{sync: -1, reports: reports[0], childs: reports[1:]}
	defer l.close()
	if err := unix.Pipe2(out[:], unix.O_CLOEXEC); err != nil {
		return nil, cannot(err)
	}
	l.childs = append(l.childs, out[1])
	_ = unix.SetNonblock(out[0], true) // so that the wait can be bounded
	answer := os.NewFile(uintptr(out[0]), "answer")
	defer answer.Close()
	program := looking(pidfd, out[1], argv)
	loaded, err := program.load(reports[1])
	if err != nil {
		return nil, cannot(err)
	}
	child, err := loaded.fork(&cloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND, ExitSignal: uint64(unix.SIGCHLD)})
	if err != nil {
		return nil, cannot(err)
	}
	l.dropChildEnds()
	failed := l.failure(program)
	_ = answer.SetReadDeadline(time.Now().Add(insideWait))
	b, err := io.ReadAll(io.LimitReader(answer, 1<<20))
	if err != nil {
		_ = unix.Kill(child, unix.SIGKILL) // not yet waited for, so the number is its own
	}
	var status unix.WaitStatus
	for {
		if _, werr := unix.Wait4(child, &status, 0, nil); werr != unix.EINTR {
			break
		}
	}
	if failed == nil && err == nil && status != 0 {
		failed = fmt.Errorf("it ended with status %#x", uint32(status))
	}
	if err := errors.Join(failed, err); err != nil {
		return nil, cannot(err)
	}
	return b, nil
}

// looking writes the program of the child that goes inside.
func looking(pidfd, out int, argv []string) *Program {
	const readSearch, ptrace = 1 << unix.CAP_DAC_READ_SEARCH, 1 << unix.CAP_SYS_PTRACE
	type capHeader struct {
		version uint32
		_       int32 // pid: this one
	}
	type capSets [2]struct{ effective, permitted, inheritable uint32 }
	sets := new(capSets)
	sets[0].effective, sets[0].permitted, sets[0].inheritable = readSearch|ptrace, readSearch|ptrace, readSearch|ptrace
	ambient := func(name, text string, c uintptr) Step {
		return step("", name, sysPrctl, "through exec", named("PR_CAP_AMBIENT", unix.PR_CAP_AMBIENT),
			named("PR_CAP_AMBIENT_RAISE", unix.PR_CAP_AMBIENT_RAISE), named(text, c), number(0), number(0))
	}
	b := &builder{}
	b.rows(
		step("", "join", sysSetns, "its user namespace, and nothing else of it", descriptor("process", pidfd),
			flags(bit{"CLONE_NEWUSER", unix.CLONE_NEWUSER})),
		step("", "keep-two", sysCapset, "the rights to look, and no others",
			mem("{VERSION_3, 0}", &capHeader{version: unix.LINUX_CAPABILITY_VERSION_3}), mem("{DAC_READ_SEARCH|SYS_PTRACE, same, same}", sets)),
		ambient("hand-on-search", "CAP_DAC_READ_SEARCH", unix.CAP_DAC_READ_SEARCH),
		ambient("hand-on-ptrace", "CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE),
		step("", "answer", sysDup3, "standard output", descriptor("pipe", out), number(1), number(0)),
	)
	b.signals()
	b.rows(step("", "exec", sysExecve, "this program again", str("/proc/self/exe"),
		mem(fmt.Sprintf("%q", argv), cStrings(argv)), mem("[] (empty)", cStrings(nil))))
	return &b.Program
}
