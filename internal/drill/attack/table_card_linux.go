package attack

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/jail/linuxjail"
	"skep/internal/netjob"
)

const GroupCard = "what a network or a capture was handed"

// CardAttempts are those of whoever has taken over what a guest's network card leads to: with what that was
// handed, beside all that any intruder tries.
func CardAttempts() []Attempt { return inGroups([]group{{GroupCard, cardTable}}) }

// refused is how a question of such a network is answered.
const refused = "refused"

var cardTable = []Attempt{
	{ID: "record-grow", Tries: "let its record grow beyond its limit", Want: "EFBIG", Needs: needHanded(netjob.FileLog), Do: well(growHanded(netjob.FileLog))},
	{ID: "capture-grow", Tries: "let its capture grow beyond its limit", Want: "EFBIG", Needs: needHanded(netjob.CaptureOne),
		Do: well(growHanded(netjob.CaptureOne))},
	{ID: "record-reserve", Tries: "reserve more of the disk for it (fallocate)", Want: "EPERM", Needs: needHanded(netjob.FileLog),
		Do: well(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_FALLOCATE, handed(netjob.FileLog)(s), unix.FALLOC_FL_KEEP_SIZE, 0, 1<<40))
		})},
	{ID: "record-program", Tries: "map its record as a program", Want: "EPERM | EACCES", Needs: needHanded(netjob.FileLog),
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_MMAP, 0, 4096, rx, unix.MAP_PRIVATE, handed(netjob.FileLog)(s), 0))
		})},
	{ID: "record-setuid", Tries: "make it a program of somebody else's (fchmod)", Want: "EPERM", Needs: needHanded(netjob.FileLog),
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_FCHMOD, handed(netjob.FileLog)(s), 0o4755))
		})},
	{ID: "card-elsewhere", Tries: "connect its card's socket to somebody else's", Want: "EPERM", Needs: needHanded(netjob.FileNIC),
		Do: code(func(s *Fixture) Outcome {
			to := append([]byte{unix.AF_UNIX, 0}, []byte(s.Bait.Dir+"/socket\x00")...)
			return attempt{}.judge(s.call(unix.SYS_CONNECT, handed(netjob.FileNIC)(s), to, len(to)))
		})},

	{ID: "segment-elsewhere", Tries: "connect to another cell's end of a segment by itself", Want: "EPERM", Needs: needHanded(netjob.FileJoin),
		Do: code(func(s *Fixture) Outcome {
			to := append([]byte{unix.AF_UNIX, 0}, []byte(s.Bait.Dir+"/socket\x00")...)
			return attempt{}.judge(s.call(unix.SYS_CONNECT, handed(netjob.FileJoin)(s), to, len(to)))
		})},
	{ID: "segment-socket", Tries: "make a socket for that", Want: "EPERM", Needs: needHanded(netjob.FileJoin),
		Do: try(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0).opening()},

	{ID: "frames-send", Tries: "send a frame on the tap that it captures (write)", Want: "EPERM", Needs: needHanded(netjob.CaptureSocket),
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_WRITE, handed(netjob.CaptureSocket)(s), make([]byte, 64), 64))
		})},
	{ID: "frames-sendmsg", Tries: "the same by sendmsg(2)", Want: "EPERM", Needs: needHanded(netjob.CaptureSocket),
		Do: code(func(s *Fixture) Outcome {
			vector := s.put(words(s.put(make([]byte, 64)), 64))
			return attempt{}.judge(s.call(unix.SYS_SENDMSG, handed(netjob.CaptureSocket)(s), words(0, 0, vector, 1, 0, 0, 0), unix.MSG_NOSIGNAL))
		})},
	{ID: "frames-other", Tries: "listen on another interface (bind)", Want: "EPERM", Needs: needHanded(netjob.CaptureSocket),
		Do: code(func(s *Fixture) Outcome {
			all := []byte{unix.AF_PACKET, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // every interface
			return attempt{}.judge(s.call(unix.SYS_BIND, handed(netjob.CaptureSocket)(s), all, len(all)))
		})},
	{ID: "frames-ring", Tries: "have the kernel map its frames (PACKET_RX_RING)", Want: "EPERM", Needs: needHanded(netjob.CaptureSocket),
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_SETSOCKOPT, handed(netjob.CaptureSocket)(s), unix.SOL_PACKET, unix.PACKET_RX_RING, space(28), 28))
		})},

	{ID: "ask-loopback", Tries: "have its keeper connect to the host's loopback", Want: refused, Needs: needBroker, Do: asking("tcp", "127.0.0.1:443")},
	{ID: "ask-loopback-2", Tries: "the same by another address of it", Want: refused, Needs: needBroker, Do: asking("tcp", "127.8.9.10:443")},
	{ID: "ask-loopback-0", Tries: "the same by 0.0.0.0", Want: refused, Needs: needBroker, Do: asking("tcp", "0.0.0.0:443")},
	{ID: "ask-loopback-6", Tries: "the same by IPv6", Want: refused, Needs: needBroker, Do: asking("tcp", "[::1]:443")},
	{ID: "ask-loopback-mapped", Tries: "the same by an IPv4 address in an IPv6 one", Want: refused, Needs: needBroker,
		Do: asking("tcp", "[::ffff:127.0.0.1]:443")},
	{ID: "ask-metadata", Tries: "have it connect to a cloud's metadata", Want: refused, Needs: needBroker, Do: asking("tcp", "169.254.169.254:443")},
	{ID: "ask-neighbour", Tries: "have it connect to a private network", Want: refused, Needs: needBroker, Do: asking("tcp", "192.168.1.1:443")},
	{ID: "ask-anybody", Tries: "have it connect to an address that no allowed name led to", Want: refused, Needs: needBroker,
		Do: asking("tcp", "203.0.113.7:443")},
	{ID: "ask-resolver", Tries: "have it send a datagram to the host's resolver", Want: refused, Needs: needBroker, Do: asking("udp", "127.0.0.53:53")},
	{ID: "ask-multicast", Tries: "have it send to everybody", Want: refused, Needs: needBroker, Do: asking("udp", "255.255.255.255:443")},
	{ID: "ask-unix", Tries: "have it connect to a UNIX socket", Want: refused, Needs: needBroker, Do: asking("unix", "127.0.0.1:443")},
	{ID: "ask-name", Tries: "have it look for a name that is not allowed", Want: refused, Needs: needBroker, Do: named("intern.example")},
	{ID: "ask-rebound", Tries: "reach the host by an allowed name that leads to it", Want: refused, Needs: needBroker,
		Do: code(func(s *Fixture) Outcome {
			if o := s.ask(map[string]any{"id": 1, "do": "name", "name": allowedName, "to": ""}); !o.Stopped {
				return o
			}
			return s.ask(map[string]any{"id": 2, "do": "tcp", "to": "127.0.0.1:443"})
		})},
	{ID: "ask-nonsense", Tries: "send its keeper what is no question", Want: linkEnded, Needs: needBroker,
		Do: code(func(s *Fixture) Outcome { return s.rambles([]byte(`{"id":1,"do":["tcp"]`)) })},
	{ID: "ask-deep", Tries: "send a question that is nested deep", Want: linkEnded, Needs: needBroker,
		Do: code(func(s *Fixture) Outcome { return s.rambles([]byte(strings.Repeat("[", 4000))) })},
	{ID: "ask-long", Tries: "send a question that is longer than any", Want: linkEnded, Needs: needBroker,
		Do: code(func(s *Fixture) Outcome {
			return s.rambles([]byte(`{"id":1,"do":"name","name":"` + strings.Repeat("a", 60<<10) + `"}`))
		})},
	{ID: "ask-empty", Tries: "send an empty one", Want: linkEnded, Needs: needBroker, Do: code(func(s *Fixture) Outcome { return s.rambles(nil) })},
	{ID: "ask-files", Tries: "stuff its keeper with descriptors", Want: bounded, Needs: needBroker, Do: well(stuffBroker)},
	{ID: "ask-flood", Tries: "flood its keeper with questions, and hear no answer", Want: "EAGAIN | EPERM", Needs: needBroker, Do: well(floodBroker)},
}

// needBroker leaves an attempt to a network that asks its keeper.
func needBroker(s *Fixture) (string, bool) { return "it asks nobody", s.Broker != nil }

// growHanded writes to a file that it was handed, far behind what that may become.
func growHanded(name string) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		return attempt{}.judge(s.call(unix.SYS_PWRITE64, handed(name)(s), "x", 1, s.Bound.Value+1))
	}
}

// asking asks for a connection.
func asking(do, to string) code {
	return func(s *Fixture) Outcome { return s.ask(map[string]any{"id": 1, "do": do, "to": to}) }
}

// named asks for a name.
func named(name string) code {
	return func(s *Fixture) Outcome { return s.ask(map[string]any{"id": 1, "do": "name", "name": name, "to": ""}) }
}

// ask has the attacker ask its keeper, and looks at the answer and at whom the keeper has connected to.
func (s *Fixture) ask(q map[string]any) Outcome {
	text, err := json.Marshal(q)
	if err != nil {
		return escaped(err.Error())
	}
	fd := handed(netjob.FileBroker)(s)
	if o, failed := s.call(unix.SYS_WRITE, fd, text, len(text)).failed(); failed {
		return o
	}
	const most = 4 << 10
	at := s.put(make([]byte, most))
	r := s.call(unix.SYS_READ, fd, at, most)
	if o, failed := r.failed(); failed {
		return o
	}
	var answer struct {
		Why   string   `json:"why"`
		Addrs []string `json:"addrs"`
	}
	if err := json.Unmarshal(s.get(at, int(r.value)), &answer); err != nil {
		return escaped("its keeper answers what nobody can read: " + err.Error())
	}
	if to := s.Broker.connected(); len(to) > 0 {
		return escaped("its keeper would have connected: " + strings.Join(to, ", "))
	}
	if answer.Why == "" {
		return escaped(fmt.Sprintf("its keeper does as it is asked: %v", answer.Addrs))
	}
	return stopped(refused)
}

// rambles sends its keeper something, which has to end their connection.
func (s *Fixture) rambles(b []byte) Outcome {
	fd := handed(netjob.FileBroker)(s)
	vector := s.put(words(s.put(b), uint64(len(b))))
	if o, failed := s.call(unix.SYS_SENDMSG, fd, words(0, 0, vector, 1, 0, 0, 0), unix.MSG_NOSIGNAL).failed(); failed {
		return o
	}
	at := s.put(make([]byte, 4096))
	r := s.call(unix.SYS_READ, fd, at, 4096)
	switch {
	case r.gone || r.errno != 0 && r.errno != unix.ECONNRESET:
		return attempt{}.judge(r) // which says nothing of the connection
	case r.errno == 0 && r.value > 0:
		return escaped(fmt.Sprintf("its keeper answers: %q", s.get(at, int(r.value))))
	}
	return stopped(linkEnded)
}

// stuffBroker sends descriptors beside questions: its keeper has none of them afterwards.
func stuffBroker(s *Fixture) Outcome {
	open := openFiles()
	fd := handed(netjob.FileBroker)(s).(int)
	for range 20 {
		text := []byte(`{"id":1,"do":"name","name":"a.example","to":""}`)
		vector := s.put(words(s.put(text), uint64(len(text))))
		const many = 3
		oob := words(uint64(16+4*many), uint64(unix.SCM_RIGHTS)<<32|uint64(unix.SOL_SOCKET), uint64(fd)<<32|linuxjail.FirstFD, uint64(fd))
		r := s.call(unix.SYS_SENDMSG, fd, words(0, 0, vector, 1, s.put(oob), uint64(16+4*many), 0), unix.MSG_NOSIGNAL)
		if o, failed := r.failed(); failed {
			return o
		}
		s.call(unix.SYS_READ, fd, s.put(make([]byte, 4096)), 4096)
		s.again()
	}
	if now := openFiles(); now > open {
		return escaped(fmt.Sprintf("its keeper has %d descriptors more", now-open))
	}
	return stopped(bounded)
}

// floodBroker asks until nobody takes more questions.
func floodBroker(s *Fixture) Outcome {
	fd := handed(netjob.FileBroker)(s)
	text := []byte(`{"id":1,"do":"name","name":"a.example","to":""}`)
	vector := s.put(words(s.put(text), uint64(len(text))))
	header := s.put(words(0, 0, vector, 1, 0, 0, 0))
	return s.until(20_000, func() result { return s.call(unix.SYS_SENDMSG, fd, header, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT) })
}
