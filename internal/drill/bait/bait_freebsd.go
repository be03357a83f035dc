package bait

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/jail/freebsdjail"
	"skep/internal/jaillist"
	"skep/internal/jailparam"
	"skep/internal/process"
)

// leakFrom is the number of the first leaked descriptor. It is small: rctl(8) counts openfiles by the
// size of a process's table, and by a large one a fork would be refused whatever else stops it.
const leakFrom = 16

// systemBait is what only FreeBSD has.
type systemBait struct {
	Prison int // somebody else's jail, with nobody in it
	Shm    int // a System V segment; -1 where the kernel has none
}

var noBait = systemBait{Shm: -1}

// stateDirs are further places for scratch files.
var stateDirs = []string{"/var/db"}

func noExec(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) != nil || st.Flags&unix.MNT_NOEXEC != 0
}

// hide closes the directory to everybody but root: nobody else can run what is in it.
func (b *Bait) hide() error { return os.Chmod(b.Dir, 0o700) }

// baitJail and the pid of its drill are the name of the jail that is bait.
const baitJail = "skep-drill-bait-"

// clearLeft removes the jails of drills that were killed: nobody else knows them.
func clearLeft() error {
	jails, err := jaillist.List()
	for _, j := range jails {
		owner, found := strings.CutPrefix(j.Name, baitJail)
		if pid, err := strconv.Atoi(owner); found && err == nil && process.Gone(pid) {
			_ = freebsdjail.RemovePrison(j.JID) // another drill may have been quicker
		}
	}
	return err
}

// system lays out the rest.
func (b *Bait) system() error {
	if err := clearLeft(); err != nil {
		return err
	}
	name := baitJail + strconv.Itoa(os.Getpid())
	jid, err := freebsdjail.CreatePrison([]jailparam.Param{
		jailparam.String("name", name), jailparam.String("path", b.Public), jailparam.Bool("persist", true),
	})
	if err != nil {
		return err
	}
	b.Own.Prison = jid
	b.later(func() { _ = freebsdjail.RemovePrison(jid) })
	if err := b.terminalPair(); err != nil {
		return err
	}
	const creat = 0o1000
	id, _, errno := unix.Syscall(unix.SYS_SHMGET, 0, 4096, creat|0o666)
	if errno != 0 {
		return nil // a kernel without System V shared memory
	}
	b.Own.Shm = int(id)
	b.later(func() { _, _, _ = unix.Syscall(unix.SYS_SHMCTL, id, 0, 0) }) // IPC_RMID
	return nil
}

// PairName is what an attempt looks up. By that alone nmdm(4) makes both ends of
// it, in the host's /dev, also for one who is not shown them; they hold on to the
// jail of whoever did it until they have been opened and closed.
const PairName = "nmdm0A"

// terminalPair has the pair removed that the attempt makes, unless it was there.
func (b *Bait) terminalPair() error {
	nodes, err := os.ReadDir("/dev") // asking for the name would make it
	if err != nil {
		return err
	}
	there := func(n os.DirEntry) bool { return n.Name() == PairName }
	if slices.ContainsFunc(nodes, there) {
		return nil
	}
	b.later(func() {
		if nodes, err := os.ReadDir("/dev"); err != nil || !slices.ContainsFunc(nodes, there) {
			return
		}
		if fd, err := unix.Open("/dev/"+PairName, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY, 0); err == nil {
			unix.Close(fd)
		}
	})
	return nil
}

// BystanderCommand starts the attacker's own program with commands that never come.
func BystanderCommand(program string, commands *os.File) *exec.Cmd {
	return &exec.Cmd{Path: program, Args: []string{"skep-drill-bystander"}, Env: []string{}, Stdin: commands,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
}

// NeighbourDisks: a layer is a copy here, and a file in the neighbour's jail.
func NeighbourDisks(string) ([]cell.Disk, error) { return nil, nil }

// Stands says whether the bystander lives: with it goes its end of the socket.
func (b *Bait) Stands() bool {
	_, _, err := unix.Recvfrom(int(b.hold.Fd()), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == unix.EAGAIN
}
