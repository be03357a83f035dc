package linuxjail

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
)

func record(spec Spec, program *Program, filters compiled) jail.Record {
	arch, _ := seccomp.ArchOf(runtime.GOARCH) // Start has looked already
	r := jail.Record{
		Layers:     slices.Clone(spec.Layers),
		Mapping:    spec.Identity.Mapping,
		Steps:      len(program.Steps),
		RunCalls:   spec.Policy.Count(arch, seccomp.Run),
		NeverCalls: spec.Policy.Count(arch, seccomp.Never),

		MasksSignals: true,
		Bound:        spec.WithCaller,
	}
	if layer.On(spec.Layers, layer.Landlock) {
		r.LandlockABI = min(landlockABI(), landlockKnown())
	}
	r.Inherited = filterCount()
	if layer.On(spec.Layers, layer.Seccomp) {
		r.Filters = append(r.Filters, filterRecord("calls", filters.Filter))
	}
	return r
}

func filterRecord(name string, f seccomp.Filter) jail.FilterRecord {
	return jail.FilterRecord{Name: name, SHA256: f.SHA256(), Instructions: len(f)}
}

// readFacts asks the kernel what a program depends on.
func readFacts() facts {
	f := facts{lastCap: lastCap(), landlockABI: landlockABI(), initialRoot: onInitialRoot()}
	if flagKnown(unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		f.notifyFlags = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	return f
}

// flagKnown tries a seccomp flag with a filter that is not there: EFAULT means the flag is fine.
func flagKnown(flags uintptr) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, 0)
	return errno == unix.EFAULT
}

// filterCount is how many seccomp filters this process has.
func filterCount() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "Seccomp_filters:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(rest))
			return n
		}
	}
	return 0
}

// lastCap is the highest capability that the kernel knows.
func lastCap() int {
	last := 0
	for prctl(unix.PR_CAPBSET_READ, uintptr(last+1), 0, 0, 0) == 0 && last < 63 {
		last++
	}
	return last
}

func landlockABI() int {
	abi, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

func prctl(option, a, b, c, d uintptr) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, option, a, b, c, d, 0)
	return errno
}

func environ() []string { return os.Environ() }

// imagined numbers the descriptors of a start that does not take place.
func (s Spec) imagined() inherited {
	next := FirstFD + len(s.FDs) + spare
	take := func() int { next++; return next - 1 }
	in := inherited{errors: take(), sync: take(), parentSync: take(), nodes: -1}
	for i := range in.std {
		in.std[i] = take()
	}
	for range s.FDs {
		in.fds = append(in.fds, take())
	}
	for range s.Root.Copies {
		in.copies = append(in.copies, take())
	}
	if s.Identity.Mapping == jail.ByRoot {
		for range s.Root.Files {
			in.files = append(in.files, take())
		}
	}
	if len(s.Root.Nodes) > 0 && s.Identity.Mapping == jail.ByRoot {
		in.nodes = take()
	}
	return in
}
