package attack

import (
	"golang.org/x/sys/unix"

	"skep/internal/provision"
)

// groupHanded is a group that only this scene has.
const groupHanded = "what a worker is handed"

// handedAttempts go beyond what the descriptors are for that a worker is handed.
func handedAttempts() []Attempt { return inGroups([]group{{groupHanded, handedTable}}) }

// handed is the number of one of them.
func handed(name string) late {
	return func(*Fixture) any {
		for i, h := range provision.WorkerHandles {
			if h.Name == name {
				return keeperFD + 1 + i
			}
		}
		panic("nothing of that name is handed: " + name) // a mistake in the table
	}
}

const (
	handedLog     = "hypervisor-log"
	handedConsole = "console"
	handedCut     = "console-log"
	handedEnd     = "console-log-end"
)

// Requests of terminals, sys/sys/ttycom.h.
const tiocsti, tiocsetd, tiocsctty = uint64(0x80017472), uint64(0x8004741b), uint64(0x20007461)

var handedTable = []Attempt{
	{ID: "handed-type", Tries: "type at its own end of the console (TIOCSTI)", By: "capsicum", Want: "ENOTCAPABLE | EPERM | EACCES | ENOTTY", Single: singleHanded,
		Do: try(unix.SYS_IOCTL, handed(handedConsole), tiocsti, "x")},
	{ID: "handed-discipline", Tries: "give the console another line discipline", By: "capsicum", Want: "ENOTCAPABLE | ENOTTY | EOPNOTSUPP", NoControl: "this kernel has one only",
		Do: try(unix.SYS_IOCTL, handed(handedConsole), tiocsetd, words32(7))},
	{ID: "handed-terminal", Tries: "make the console its terminal", By: "capsicum", Want: "ENOTCAPABLE | EPERM", Single: singleHanded, Fresh: true,
		Do: try(unix.SYS_IOCTL, handed(handedConsole), tiocsctty, 0)},
	{ID: "handed-settings", Tries: "look at the settings of the console's far end", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded,
		Do: try(unix.SYS_IOCTL, handed(handedConsole), uint64(unix.TIOCGETA), space(64))},
	{ID: "handed-stat", Tries: "look at the console's node", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded,
		Do: try(unix.SYS_FSTAT, handed(handedConsole), space(512))},
	{ID: "handed-log-cut", Tries: "cut the hypervisor's log that it reads", By: "capsicum", Want: "ENOTCAPABLE | EBADF | EINVAL", NoControl: "it is open for reading alone",
		Do: try(unix.SYS_FTRUNCATE, handed(handedLog), 0)},
	{ID: "handed-log-write", Tries: "write to the hypervisor's log that it reads", By: "capsicum", Want: "ENOTCAPABLE | EBADF", NoControl: "it is open for reading alone",
		Do: try(unix.SYS_WRITE, handed(handedLog), "drill", 5)},
	{ID: "handed-log-read", Tries: "read the console's log by the descriptor that appends to it", By: "capsicum", Want: "ENOTCAPABLE | EBADF", NoControl: "it is open for writing alone",
		Do: try(unix.SYS_READ, handed(handedEnd), space(64), 64)},
	{ID: "handed-log-mode", Tries: "let everybody read the console's log", By: "own-uid capsicum", Want: "ENOTCAPABLE | EPERM",
		Do: try(unix.SYS_FCHMOD, handed(handedCut), 0o644)},
	{ID: "handed-log-owner", Tries: "take over the console's log", By: "own-uid capsicum", Want: "ENOTCAPABLE | EPERM",
		Do: try(unix.SYS_FCHOWN, handed(handedCut), none, none)},
	{ID: "handed-log-flags", Tries: "make the console's log undeletable", By: "own-uid jail capsicum", Want: "ENOTCAPABLE | EPERM",
		Do: try(unix.SYS_FCHFLAGS, handed(handedCut), 0)},
	{ID: "handed-log-lock", Tries: "lock the console's log against others", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded, Fresh: true,
		Do: try(unix.SYS_FLOCK, handed(handedCut), unix.LOCK_EX|unix.LOCK_NB)},
	{ID: "handed-log-map", Tries: "map the console's log", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded,
		Do: try(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_SHARED, handed(handedCut), 0)},
	{ID: "handed-log-run", Tries: "write a program into the console's log and run it", By: "own-uid capsicum", Want: "ENOTCAPABLE | EACCES", Fresh: true,
		Do: try(unix.SYS_FEXECVE, handed(handedCut), late(func(s *Fixture) any { return s.pointers(s.put([]byte("x\x00"))) }), late(func(s *Fixture) any { return s.pointers() })).pastGate(unix.ENOEXEC)},
	{ID: "handed-log-below", Tries: "open a path below the console's log", By: "", Want: "ENOTCAPABLE | ENOTDIR", NoControl: "it is no directory",
		Do: try(unix.SYS_OPENAT, handed(handedCut), "..", unix.O_RDONLY, 0).opening()},
	{ID: "handed-log-tail", Tries: "take back rights on a log", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded,
		Do: try(unix.SYS_CAP_RIGHTS_LIMIT, handed(handedCut), words(1<<57|capRead|capWrite|capSeek|capFstat|capFsync, 1<<58))},
	{ID: "handed-more-requests", Tries: "take requests on the console", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded,
		Do: try(unix.SYS_CAP_IOCTLS_LIMIT, handed(handedConsole), words(tiocsti), 1)},
	{ID: "handed-owner", Tries: "have its keeper's socket signal others (F_SETOWN)", By: "jail capsicum", Want: "ENOTCAPABLE | ESRCH",
		Do: try(unix.SYS_FCNTL, keeperFD, unix.F_SETOWN, baitPID)},
	{ID: "handed-blocking", Tries: "change how the keeper's own end of the console behaves (F_SETFL)", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded,
		Do: try(unix.SYS_FCNTL, handed(handedConsole), unix.F_SETFL, unix.O_NONBLOCK)},
	{ID: "handed-socket-options", Tries: "make the buffers of the keeper's socket larger", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded,
		Do: try(unix.SYS_SETSOCKOPT, keeperFD, unix.SOL_SOCKET, unix.SO_RCVBUF, words32(1<<16), 4)},
	{ID: "handed-socket-peer", Tries: "ask who its keeper is", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded,
		Do: try(unix.SYS_GETPEERNAME, keeperFD, space(128), late(func(s *Fixture) any { return s.put(words(128)) }))},
	{ID: "handed-socket-listen", Tries: "listen on its keeper's socket", By: "capsicum", Want: "ENOTCAPABLE | EINVAL", NoControl: "it is connected",
		Do: try(unix.SYS_LISTEN, keeperFD, 1)},
	{ID: "handed-socket-half", Tries: "shut one direction of its keeper's socket", By: "capsicum", Want: "ENOTCAPABLE", Single: singleHanded, Fresh: true,
		Do: try(unix.SYS_SHUTDOWN, keeperFD, 1)},
}

const singleHanded = "a descriptor that is open asks for no right but its own"

// keeperFD is the worker's socket; what it is handed follows.
const keeperFD = 3

// WorkerAttempts are those that an attacker in the worker's place makes, but for the protocol.
func WorkerAttempts() []Attempt { return append(All(), handedAttempts()...) }
