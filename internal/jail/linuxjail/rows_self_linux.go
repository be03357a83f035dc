package linuxjail

import (
	"fmt"
	"math"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
)

// descriptors gives the hypervisor its descriptors under their numbers and closes all others but
// the two that this program still needs, which close themselves at the exec.
func (b *builder) descriptors() {
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		b.rows(step("", "fd-"+name, sysDup3, "", descriptor(name, b.in.std[i]), number(i), number(0)))
	}
	for i, fd := range b.spec.FDs {
		b.rows(step("", fmt.Sprintf("fd-%d-%s", FDNumber(i), fd.Name), sysDup3, "handed in",
			descriptor(fd.Name, b.in.fds[i]), number(FDNumber(i)), number(0)))
	}
	low, high := min(b.in.sync, b.in.errors), max(b.in.sync, b.in.errors)
	roles := map[int]string{b.in.sync: "sync", b.in.errors: "errors"}
	between := func(name string, first int, firstText string, last int, lastText string) {
		if first <= last {
			b.rows(step(layer.ClosedFDs, name, sysCloseRange, "no descriptor that is not planned",
				named(firstText, uintptr(first)), named(lastText, uintptr(last)), number(0)))
		}
	}
	between("close-below", b.in.lowest(), fmt.Sprint(b.in.lowest()), low-1, roles[low]+"-1")
	between("close-between", low+1, roles[low]+"+1", high-1, roles[high]+"-1")
	between("close-above", high+1, roles[high]+"+1", math.MaxUint32, "~0U")
}

// memory makes writable memory stay data, and says how it may be shared.
func (b *builder) memory() {
	zero := number(0)
	b.rows(
		step(layer.WXMDWE, "wx", sysPrctl, "memory is writable or executable, never both or first one and then the other",
			named("PR_SET_MDWE", unix.PR_SET_MDWE), named("PR_MDWE_REFUSE_EXEC_GAIN", unix.PR_MDWE_REFUSE_EXEC_GAIN), zero, zero, zero),
		step(layer.WXMDWE, "prove-wx", sysMmap, "it cannot be seen from outside, so it is tried here",
			null(), number(4096), flags(bit{"PROT_WRITE", unix.PROT_WRITE}, bit{"PROT_EXEC", unix.PROT_EXEC}),
			flags(bit{"MAP_PRIVATE", unix.MAP_PRIVATE}, bit{"MAP_ANONYMOUS", unix.MAP_ANONYMOUS}), number(-1), zero).failing(unix.EACCES),
		step(layer.KSMOff, "no-merging", sysPrctl, "no page is shared with another cell's",
			named("PR_SET_MEMORY_MERGE", unix.PR_SET_MEMORY_MERGE), zero, zero, zero, zero),
		step(layer.CoreScheduling, "own-core", sysPrctl, "no stranger on the other thread of a core",
			named("PR_SCHED_CORE", unix.PR_SCHED_CORE), named("PR_SCHED_CORE_CREATE", unix.PR_SCHED_CORE_CREATE),
			zero, named("PR_SCHED_CORE_SCOPE_THREAD_GROUP", unix.PR_SCHED_CORE_SCOPE_THREAD_GROUP), null()),
	)
}

// resources are the limits that a Spec may name.
var resources = map[string]uintptr{
	"as": unix.RLIMIT_AS, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA, "fsize": unix.RLIMIT_FSIZE,
	"locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE,
	"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "rtprio": unix.RLIMIT_RTPRIO, "rttime": unix.RLIMIT_RTTIME,
	"sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

func (b *builder) limits() error {
	set := func(l layer.ID, name string, resource uintptr, value uint64, why string) {
		b.rows(step(l, "limit-"+name, sysPrlimit, why, number(0), named(name, resource),
			mem(fmt.Sprintf("{%d, %d}", value, value), &unix.Rlimit{Cur: value, Max: value}), null()))
	}
	set(layer.NoCore, "core", unix.RLIMIT_CORE, 0, "a crash leaves no guest memory on the host's disk")
	for _, l := range b.spec.Limits {
		resource, ok := resources[l.Name]
		if !ok {
			return cannotBuild("there is no limit named %q", l.Name)
		}
		// The rows to come open up to two more descriptors.
		if least := uint64(b.in.lowest() + 2); l.Name == "nofile" && l.Value < least {
			return cannotBuild("%d open files are too few, it takes %d", l.Value, least)
		}
		set(layer.RLimits, l.Name, resource, l.Value, "")
	}
	return nil
}

// signals start as if no one had ever touched them, but for those that the keeper gets as well. All were
// blocked before the child was made, and clone3 took the handlers away; what the keeper ignores would
// stay ignored.
func (b *builder) signals() {
	type sigaction [4]uintptr // handler, flags, restorer, mask
	for _, s := range []struct {
		name   string
		number unix.Signal
	}{
		{"SIGHUP", unix.SIGHUP}, {"SIGINT", unix.SIGINT}, {"SIGQUIT", unix.SIGQUIT}, {"SIGPIPE", unix.SIGPIPE},
		{"SIGTERM", unix.SIGTERM}, {"SIGCHLD", unix.SIGCHLD}, {"SIGTSTP", unix.SIGTSTP}, {"SIGTTIN", unix.SIGTTIN},
		{"SIGTTOU", unix.SIGTTOU}, {"SIGUSR1", unix.SIGUSR1}, {"SIGUSR2", unix.SIGUSR2}, {"SIGALRM", unix.SIGALRM},
	} {
		b.rows(step("", "default-"+s.name, sysSigaction, "", named(s.name, uintptr(s.number)),
			mem("{SIG_DFL}", new(sigaction)), null(), number(8)))
	}
	if b.spec.WithCaller {
		b.rows(step("", "end-with-caller", sysPrctl, "it has nobody to work for then; a change of user would undo it",
			named("PR_SET_PDEATHSIG", unix.PR_SET_PDEATHSIG), named("SIGKILL", uintptr(unix.SIGKILL)), number(0), number(0), number(0)))
	}
	mask, text := uint64(0), []string{}
	for _, s := range jail.StopSignals {
		mask |= s.Bit()
		text = append(text, s.Name[len("SIG"):])
	}
	b.rows(step("", "mask-signals", sysSigprocmask, "a signal to a whole group or session stops the keeper, which presses the guest's power button",
		named("SIG_SETMASK", unix.SIG_SETMASK), mem("["+strings.Join(text, " ")+"]", &mask), null(), number(8)))
}

// exec is the last row and the hypervisor's first instruction.
func (b *builder) exec() {
	path := str(string(b.spec.Path))
	argv := cStrings(b.spec.Argv)
	args := []Arg{path, mem(fmt.Sprintf("%q", b.spec.Argv), argv)}
	if b.on(layer.EmptyEnv) {
		args = append(args, mem("[] (empty)", cStrings(nil)))
	} else {
		args = append(args, mem("environ", cStrings(environ())))
	}
	b.rows(step("", "exec", sysExecve, "the hypervisor", args...))
}

// cStrings is a NULL-terminated array of C strings; its first element's address is the argument.
func cStrings(list []string) *unsafe.Pointer {
	ptrs := make([]unsafe.Pointer, len(list)+1)
	for i, s := range list {
		ptrs[i] = str(s).ptr
	}
	return &ptrs[0]
}
