package provision

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/netjob"
	"skep/internal/plan"
	"skep/internal/unixsock"
)

// joinSegment gives a switch what it needs of its segment: where others connect, and a connection to each that there
// is. One cell joins at a time, so that there is one connection between any two.
func (t *linuxProvisioner) joinSegment(s *plan.Network, add func(string, *os.File, error) error) error {
	fail := func(err error, hint string) error {
		return plan.Located(t.cell, "nic."+s.Label+".segment", fault.Wrap(fault.Host, err, hint, "join the segment %q", s.Segment))
	}
	lock, err := lockSegments(s)
	if err != nil {
		return fail(err, "")
	}
	defer lock.Close()
	dir := filepath.Dir(s.Join) // which goes with the last cell on it
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err, "")
	}
	if t.claims[s.Label] == nil {
		claim, err := claimSegment(s.Segment)
		if err != nil {
			return fail(err, "name another: segment = \"mine\"")
		}
		t.claims[s.Label] = claim
	}
	if err := removeFile(s.Join); err != nil {
		return fail(err, "")
	}
	others, err := os.ReadDir(dir)
	if err != nil {
		return fail(err, "")
	}
	if len(others) > netjob.MostPeers {
		return fail(fmt.Errorf("it has %d cells already", len(others)), "")
	}
	for i, e := range others {
		conn, err := unixsock.Dial(filepath.Join(dir, e.Name()))
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
			continue // its keeper has died; a sweep removes it, or it comes back and connects to this one
		}
		if err != nil {
			return fail(err, "")
		}
		f, err := conn.File()
		conn.Close()
		if err := add(netjob.FilePeer+strconv.Itoa(i), f, err); err != nil {
			return fail(err, "")
		}
	}
	l, err := unixsock.Listen(s.Join)
	if err != nil {
		return fail(err, "")
	}
	f, err := l.File()
	l.Close()
	return add(netjob.FileJoin, f, err)
}

// leaveSegment takes a cell's name off its segment, whoever put it there.
func (t *linuxProvisioner) leaveSegment(s *plan.Network) error {
	if s.Join == "" {
		return nil
	}
	if claim := t.claims[s.Label]; claim != nil {
		claim.Close()
		delete(t.claims, s.Label)
	}
	lock, err := lockSegments(s)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	err = removeFile(s.Join)
	for dir := filepath.Dir(s.Join); err == nil; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil || dir == segmentsOf(s) {
			break // others are there, or no segment is
		}
	}
	return err
}

// segmentsOf is the directory of all segments.
func segmentsOf(s *plan.Network) string { return filepath.Dir(filepath.Dir(s.Join)) }

// lockSegments is held while a cell joins or leaves one. It is the directory above, which stays.
func lockSegments(s *plan.Network) (*os.File, error) { return lockDir(filepath.Dir(segmentsOf(s))) }

// lockDir waits for a directory's lock, which lasts until it is closed.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// segmentClaims are how many cells may have a segment's name at a time.
const segmentClaims = netjob.MostPeers + 1

// claimSegment has the name of a segment be this user's: two users with one name would each wait for the other's
// cells. It is a name in the kernel that is gone with its holder.
func claimSegment(name string) (claim net.Listener, err error) {
	address := func(i int) *net.UnixAddr {
		return &net.UnixAddr{Name: fmt.Sprintf("@skep-segment-%s-%d", name, i), Net: "unix"}
	}
	var own *net.UnixListener
	at := -1
	for i := 0; i < segmentClaims && own == nil; i++ {
		l, err := net.ListenUnix("unix", address(i))
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
		if err == nil {
			own, at = l, i
		}
	}
	if own == nil {
		return nil, fmt.Errorf("%d cells have it already", segmentClaims)
	}
	go func() { // whoever asks who has it is answered by the kernel
		for {
			c, err := own.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	for i := range segmentClaims {
		if i == at {
			continue
		}
		uid, there, err := holder(address(i).Name)
		if err != nil {
			own.Close()
			return nil, err
		}
		if there && uid != os.Geteuid() {
			own.Close()
			return nil, fmt.Errorf("it is in use by %s", userName(uid))
		}
	}
	return own, nil
}

// holder is who listens by a name in the kernel.
func holder(name string) (uid int, there bool, err error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.Dial("unix", name)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("it is in use, and nobody says by whom: %w", err)
	}
	defer conn.Close()
	uid, ok := unixsock.PeerUser(conn.(*net.UnixConn))
	if !ok {
		return 0, false, errors.New("it is in use, and the kernel does not say by whom")
	}
	return uid, true, nil
}

// userName is a user's name, or number.
func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return "the user " + u.Username
	}
	return "the user with the number " + strconv.Itoa(uid)
}
