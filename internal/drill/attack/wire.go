//go:build linux || freebsd

package attack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// How the attacker makes a call; the attackers (attacker_linux.asm, attacker_freebsd.asm) have the same list.
type how uint64

const (
	bySyscall how = iota
	byI386        // int 0x80; Linux only
	byCrash       // no call at all
	thenLeave     // in a new process or thread, end at once
	thenStay      // in a new process or thread, sleep for ever
)

const (
	greeting    = 1
	answer      = 2
	scratchSize = 1 << 20
	Patience    = 30 * time.Second // for one call: rctl(8) holds up for seconds who has used much of a processor
)

// A Session is a connection with one live attacker.
type Session struct {
	conn    net.Conn
	fd      int    // the number of the connection, inside
	Stack   uint64 // where its arguments lie
	code    uint64 // where its program lies
	scratch uint64
	used    uint64
	lost    error // why there is no one to talk to any more
}

// A result is what one call gave.
type result struct {
	value  uint64
	errno  unix.Errno
	gone   bool // the attacker did not live to tell
	reborn bool // the call was an exec, and it succeeded
}

// Meet waits for the attacker's first words and gives it memory to work with.
func Meet(conn net.Conn) (*Session, error) {
	s := &Session{conn: conn}
	w, err := s.words()
	if err == nil && w[0] != greeting {
		err = errors.New("its first message is not a greeting")
	}
	if err == nil {
		s.introduced(w)
		r := s.call(unix.SYS_MMAP, 0, scratchSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uint64(0), 0)
		if s.scratch = r.value; r.errno != 0 || r.gone {
			err = fmt.Errorf("it cannot allocate memory: %v", r)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot speak with the attacker: %w", err)
	}
	return s, nil
}

func (s *Session) introduced(w [4]uint64) { s.Stack, s.code, s.fd = w[1], w[2], int(w[3]) }

// words reads an answer.
func (s *Session) words() (w [4]uint64, err error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(Patience))
	err = binary.Read(s.conn, binary.LittleEndian, &w)
	return w, err
}

// raw gives one order and takes the answer; between comes whatever the call itself reads from the
// connection or writes to it.
func (s *Session) raw(how how, number uint64, args [6]uint64, in, out []byte) (r result) {
	if s.lost != nil {
		return result{gone: true}
	}
	var order bytes.Buffer
	_ = binary.Write(&order, binary.LittleEndian, append(append([]uint64{number}, args[:]...), uint64(how)))
	order.Write(in)
	_ = s.conn.SetWriteDeadline(time.Now().Add(Patience))
	_, err := s.conn.Write(order.Bytes())
	if err == nil && len(out) > 0 {
		_ = s.conn.SetReadDeadline(time.Now().Add(Patience))
		_, err = io.ReadFull(s.conn, out)
	}
	var w [4]uint64
	if err == nil {
		w, err = s.words()
	}
	if err != nil {
		s.lost = err
		return result{gone: true}
	}
	if w[0] == greeting {
		s.introduced(w)
		return result{reborn: true}
	}
	if e := -int64(w[1]); e > 0 && e < 4096 {
		return result{value: w[1], errno: unix.Errno(e)}
	}
	return result{value: w[1]}
}

// call has the attacker make one call. Arguments are numbers; strings and byte slices are laid into
// its memory and become their address.
func (s *Session) call(number uint64, args ...any) result { return s.via(bySyscall, number, args...) }

func (s *Session) via(how how, number uint64, args ...any) result {
	var a [6]uint64
	for i, arg := range args {
		a[i] = s.value(arg)
	}
	return s.raw(how, number, a, nil, nil)
}

// space is a buffer of so many zero bytes.
type space int

func (s *Session) value(arg any) uint64 {
	switch v := arg.(type) {
	case int:
		return uint64(v)
	case uint64:
		return v
	case uintptr:
		return uint64(v)
	case uint32:
		return uint64(v)
	case string:
		return s.put(append([]byte(v), 0))
	case []byte:
		return s.put(v)
	case space:
		return s.put(make([]byte, v))
	}
	panic(fmt.Sprintf("no such argument: %T", arg)) // a mistake in a table; a test makes every row
}

// put lays bytes into the attacker's memory: it is ordered to read them from the connection.
func (s *Session) put(b []byte) (address uint64) {
	address = s.scratch + s.used
	s.used += (uint64(len(b)) + 63) &^ 63
	for at := 0; at < len(b); {
		r := s.raw(bySyscall, unix.SYS_READ, [6]uint64{uint64(s.fd), address + uint64(at), uint64(min(len(b)-at, 4096))}, b[at:min(len(b), at+4096)], nil)
		if r.gone || r.errno != 0 || r.value == 0 {
			return address
		}
		at += int(r.value)
	}
	return address
}

// get takes bytes out of it: it is ordered to write them.
func (s *Session) get(address uint64, n int) []byte {
	out := make([]byte, n)
	if r := s.raw(bySyscall, unix.SYS_WRITE, [6]uint64{uint64(s.fd), address, uint64(n)}, nil, out); r.gone {
		panic(lost{})
	}
	return out
}

// lost is what get panics with where the attacker is gone, since what an attempt computes from memory that
// nobody can read would be made up. Fixture.make recovers it, and nothing else.
type lost struct{}

// pointers is an array of addresses, as execve(2) takes it.
func (s *Session) pointers(addresses ...uint64) uint64 {
	return s.put(words(append(addresses, 0)...))
}

func words32(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return b
}

func words(values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// again begins the next attempt with empty memory.
func (s *Session) again() { s.used = 0 }

func (s *Session) close() {
	if s != nil {
		s.conn.Close()
	}
}

// CommandSocket is the descriptor on which the keeper would speak with the hypervisor.
const CommandSocket = "qmp"
