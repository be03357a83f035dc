package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/plan"
	"skep/internal/store"
)

const userCard = "nic \"lan\" {\nnetwork = \"user\"\nallow = [\"deb.example:443\"]\ncapture = true\n}\n"

// servedCell is a cell with a network in user space, and what its process shows.
func servedCell(t *testing.T, body string) (store.State, *linuxSeen, *serviceSeen) {
	t.Helper()
	st := linuxCell(t, body)
	seen := cleanLinux(t, st)
	const uid, pid = 4242, 900
	st.Services = []store.Service{{ID: "network:lan", PID: pid, Start: 7, UID: uid, GID: uid, Calls: 40, Sealed: true, OwnUID: true, EmptyRootfs: true}}
	four := strings.TrimSpace(strings.Repeat(strconv.Itoa(uid)+" ", 4))
	status := map[string]string{"Pid": strconv.Itoa(pid), "Uid": four, "Gid": four, "Groups": "", "NoNewPrivs": "1", "Seccomp": "2"}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		status[set] = "0000000000000000"
	}
	s := &serviceSeen{Start: 7, Own: map[string]fileID{}, Sockets: map[uint64]string{11: nameless}, besideSeen: besideSeen{
		Status: status, NS: map[string]string{}, Threads: []linuxThread{{Status: status}}, Mounts: []linuxMount{{Point: "/"}},
		FDs: []Descriptor{{Number: 0, Target: devNull}, {Number: 1, Target: "pipe:[3]"}, {Number: 3, Target: "socket:[11]", Inode: 11},
			{Number: 9, Target: "anon_inode:[eventpoll]"}}}}
	for i, n := range namespaces {
		s.NS[n] = fmt.Sprintf("%s:[%d]", n, 500+i)
	}
	r, _ := st.Plan.Find("network:lan")
	inode := uint64(2000)
	for what := range serviceFiles(r.Spec) {
		inode++
		s.Own[what] = fileID{3, inode}
		s.FDs = append(s.FDs, Descriptor{Number: int(inode), Target: "/" + what, Dev: 3, Inode: inode})
	}
	seen.Services = map[string]*serviceSeen{"network:lan": s}
	return st, seen, s
}

// What a card is served by is looked at as closely as the hypervisor: whatever is there too much shows.
func TestServices(t *testing.T) {
	st, seen, _ := servedCell(t, userCard)
	if r := judgeLinux(seen, st); !r.OK {
		t.Errorf("a clean one does not pass: %v", r.Bad())
	}
	for _, tt := range []struct {
		name, row string
		verdict   Verdict
		card      string
		do        func(*store.State, *linuxSeen, *serviceSeen)
	}{
		{"it has ended", "network-lan-uid", Missing, "", func(_ *store.State, l *linuxSeen, _ *serviceSeen) { l.Services = nil }},
		{"another process has its number", "network-lan-uid", Missing, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) { s.Start = 8 }},
		{"its keeper knows of none", "network-lan-uid", Missing, "", func(st *store.State, _ *linuxSeen, _ *serviceSeen) { st.Services = nil }},
		{"it is somebody else", "network-lan-uid", Missing, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) { s.Status["Uid"] = "0 0 0 0" }},
		{"somebody has its uid", "network-lan-company", Extra, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) { s.SameUID = []string{"9 (sh)"} }},
		{"a thread has a capability", "network-lan-rights", Extra, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) {
			s.Threads[0].Status["CapEff"] = "0000000000003000"
		}},
		{"it has no filter", "network-lan-rights", Extra, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) { s.Threads[0].Status["Seccomp"] = "0" }},
		{"it was never sealed", "network-lan-calls", Missing, "", func(st *store.State, _ *linuxSeen, _ *serviceSeen) { st.Services[0].Sealed = false }},
		{"a file is in its rootfs", "network-lan-rootfs", Extra, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) { s.Files = []string{"/bin/sh"} }},
		{"it is in the host's network", "network-lan-namespaces", Extra, "", func(_ *store.State, l *linuxSeen, s *serviceSeen) { s.NS["net"] = l.HostNS["net"] }},
		{"it holds a file of the host's", "network-lan-descriptors", Extra, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) {
			s.FDs = append(s.FDs, Descriptor{Number: 99, Target: "/etc/shadow", Dev: 1, Inode: 1})
		}},
		{"it listens to all of the host's frames", "network-lan-descriptors", Extra, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) {
			s.holdSocket("packet 0")
		}},
		{"a socket is in no table of the host's", "network-lan-descriptors", Extra, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) { s.holdSocket("") }},
		{"a sinkhole holds a socket of the host's", "network-lan-descriptors", Extra, "nic \"lan\" {\nnetwork = \"sinkhole\"\n}\n",
			func(_ *store.State, _ *linuxSeen, s *serviceSeen) { s.holdSocket("tcp 0100007F:1F90") }},
		{"a network of the user's holds one", "network-lan-descriptors", Seen, "", func(_ *store.State, _ *linuxSeen, s *serviceSeen) {
			s.holdSocket("tcp 0100007F:1F90")
		}},
		{"a page could be written to", "network-lan-descriptors", Extra, "nic \"lan\" {\nnetwork = \"sinkhole\"\nanswer \"http\" { file = \"/page\" }\n}\n",
			func(_ *store.State, _ *linuxSeen, s *serviceSeen) {
				at := slices.IndexFunc(s.FDs, func(d Descriptor) bool { return strings.Contains(d.Target, ownAnswer) })
				s.FDs[at].Flags = 2
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			card := tt.card
			if card == "" {
				card = userCard
			}
			st, seen, s := servedCell(t, card)
			tt.do(&st, seen, s)
			r := judgeLinux(seen, st)
			if got := verdictOf(r, tt.row); got != tt.verdict {
				t.Errorf("row %s is %q, want %q", tt.row, got, tt.verdict)
			}
			for _, row := range r.Bad() {
				if row.ID != tt.row {
					t.Errorf("%s is %s too: %s", row.ID, row.Verdict, row.Seen)
				}
			}
		})
	}
	if len(plan.Specs[*plan.Network](st.Plan)) != 1 {
		t.Error("the plan has no network")
	}
}

// Of sockets without a name a hypervisor has two with its TPM, and the TPM the ends of those.
func TestSocketsOfTPM(t *testing.T) {
	look := func(numbers ...int) Verdict {
		st := linuxCell(t, "tpm {}\n")
		seen := cleanLinux(t, st)
		handed := 0
		for _, d := range plan.Specs[*plan.Hypervisor](st.Plan)[0].Descriptors {
			if d.Name == hypervisor.FDTPM {
				handed = d.Number
			}
		}
		for i, n := range append([]int{handed}, numbers...) {
			inode := uint64(9000 + i)
			seen.FDs = slices.DeleteFunc(seen.FDs, func(d Descriptor) bool { return d.Number == n })
			seen.FDs = append(seen.FDs, Descriptor{Number: n, Target: fmt.Sprintf("socket:[%d]", inode), Inode: inode})
			seen.Sockets[inode] = nameless
		}
		return verdictOf(judgeLinux(seen, st), "descriptors")
	}
	if v := look(200); v != Seen {
		t.Errorf("two are %q", v)
	}
	if v := look(200, 201); v != Extra {
		t.Errorf("a third is %q", v)
	}
}

// The ends of those two are told by the kernel, where it tells: a socket to somebody else is on no plan, at either end.
// A TPM has two sockets and one pipe, and no more.
func TestEndsOfTPM(t *testing.T) {
	const ours, theirs, made, end, stranger = 9001, 9002, 9003, 9004, 9005
	socket := func(number int, inode uint64) Descriptor {
		return Descriptor{Number: number, Target: fmt.Sprintf("socket:[%d]", inode), Inode: inode}
	}
	look := func(row string, do func(l *linuxSeen, s *serviceSeen)) Verdict {
		st := linuxCell(t, "tpm {}\n")
		l := cleanLinux(t, st)
		for _, d := range plan.Specs[*plan.Hypervisor](st.Plan)[0].Descriptors {
			if d.Name == hypervisor.FDTPM {
				l.FDs = slices.DeleteFunc(l.FDs, func(o Descriptor) bool { return o.Number == d.Number })
				l.FDs = append(l.FDs, socket(d.Number, ours))
			}
		}
		l.FDs = append(l.FDs, socket(200, made))
		s := &serviceSeen{besideSeen: besideSeen{Status: map[string]string{}, FDs: []Descriptor{{Number: 1, Target: devNull}, socket(3, theirs), socket(4, end),
			{Number: 5, Target: "pipe:[7]"}, {Number: 6, Target: "pipe:[7]"}}}, Sockets: map[uint64]string{theirs: nameless, stranger: nameless}}
		l.Sockets[ours], l.Sockets[made], l.Sockets[end] = nameless, nameless, nameless
		l.Peers = map[uint64]uint64{ours: theirs, theirs: ours, made: end, end: made}
		st.Services = []store.Service{{ID: "tpm"}}
		l.Services = map[string]*serviceSeen{"tpm": s}
		do(l, s)
		return verdictOf(judgeLinux(l, st), row)
	}
	const ofHypervisor, ofTPM = "descriptors", "tpm-descriptors"
	for _, tt := range []struct {
		name, row string
		want      Verdict
		do        func(l *linuxSeen, s *serviceSeen)
	}{
		{"as it is", ofHypervisor, Seen, func(*linuxSeen, *serviceSeen) {}},
		{"as it is", ofTPM, Seen, func(*linuxSeen, *serviceSeen) {}},
		{"nobody tells who is there", ofHypervisor, Seen, func(l *linuxSeen, _ *serviceSeen) { l.Peers = nil }},
		{"nobody tells who is there", ofTPM, Seen, func(l *linuxSeen, _ *serviceSeen) { l.Peers = nil }},
		{"the hypervisor's second leads elsewhere", ofHypervisor, Extra, func(l *linuxSeen, _ *serviceSeen) { l.Peers[made] = stranger }},
		{"the TPM's second leads elsewhere", ofTPM, Extra, func(l *linuxSeen, _ *serviceSeen) { l.Peers[end] = stranger }},
		{"the TPM has a third", ofTPM, Extra, func(l *linuxSeen, s *serviceSeen) { s.FDs = append(s.FDs, socket(9, stranger)) }},
		{"its socket is the network's", ofTPM, Extra, func(l *linuxSeen, s *serviceSeen) { s.Sockets[theirs] = "tcp 0100007F:1F90" }},
		{"its socket is in no table", ofTPM, Extra, func(l *linuxSeen, s *serviceSeen) { delete(l.Sockets, end) }},
		{"it has another pipe", ofTPM, Extra, func(l *linuxSeen, s *serviceSeen) { s.FDs = append(s.FDs, Descriptor{Number: 9, Target: "pipe:[8]"}) }},
	} {
		if v := look(tt.row, tt.do); v != tt.want {
			t.Errorf("%s: row %s is %q, want %q", tt.name, tt.row, v, tt.want)
		}
	}
}

// The kernel tells which sockets are a pair, in the network where they were made.
func TestPeers(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var inodes [2]uint64
	for i, fd := range fds {
		defer unix.Close(fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			t.Fatal(err)
		}
		inodes[i] = st.Ino
	}
	peers := readPeers("/proc/self")
	if len(peers) == 0 {
		t.Skip("this kernel does not tell: it has no unix_diag")
	}
	if peers[inodes[0]] != inodes[1] || peers[inodes[1]] != inodes[0] {
		t.Errorf("%d and %d are a pair, and there are %v", inodes[0], inodes[1], peers)
	}
}

// A worker has UNIX sockets, and those of viewers where they come by TCP; nothing else that is connected with anybody.
func TestSocketsOfWorker(t *testing.T) {
	for _, tt := range []struct {
		name, body, socket string
		want               Verdict
	}{
		{"keeper and hypervisor", "", nameless, Seen},
		{"a viewer", "screen { listen = \"127.0.0.1:5901\" }", "tcp 0100007F:170D", Seen},
		{"to another port", "screen { listen = \"127.0.0.1:5901\" }", "tcp 0100007F:1F90", Extra},
		{"TCP without a screen", "", "tcp 0100007F:170D", Extra},
		{"all of the host's frames", "", "packet 0", Extra},
		{"in no table", "", "", Extra},
	} {
		st := linuxCell(t, tt.body)
		l := cleanLinux(t, st)
		st.Worker = &store.Worker{PID: 800}
		l.Worker = &workerSeen{besideSeen: besideSeen{Status: map[string]string{}, FDs: []Descriptor{{Number: 3, Target: "socket:[5]", Inode: 5}}},
			Sockets: map[uint64]string{5: tt.socket}}
		if tt.socket == "" {
			l.Worker.Sockets = nil
		}
		if v := verdictOf(judgeLinux(l, st), "worker-descriptors"); v != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, v, tt.want)
		}
	}
}

// Each thread of a worker and of a service has as many filters as its launcher wrote down.
func TestFiltersBeside(t *testing.T) {
	for count, want := range map[string]Verdict{"2": Seen, "1": Extra, "3": Extra, "": Seen} {
		st, l, s := servedCell(t, userCard)
		st.Services[0].Filters = 2
		s.Threads[0].Status["Seccomp_filters"] = count
		if v := verdictOf(judgeLinux(l, st), "network-lan-rights"); v != want {
			t.Errorf("a service with %q filters of 2 is %q, want %q", count, v, want)
		}
		st.Worker, st.WorkerJail = &store.Worker{PID: 800}, &jail.Record{Filters: make([]jail.FilterRecord, 1), Inherited: 1}
		l.Worker = &workerSeen{besideSeen: s.besideSeen}
		if v := verdictOf(judgeLinux(l, st), "worker-rights"); v != want {
			t.Errorf("a worker with %q filters of 2 is %q, want %q", count, v, want)
		}
	}
}

// holdSocket hands it a socket of that name.
func (s *serviceSeen) holdSocket(name string) {
	if name != "" {
		s.Sockets[77] = name
	}
	s.FDs = append(s.FDs, Descriptor{Number: 77, Target: "socket:[77]", Inode: 77})
}
