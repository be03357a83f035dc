package audit

import (
	"slices"
	"strings"
	"testing"

	"skep/internal/kinfo"
	"skep/internal/network"
	"skep/internal/plan"
)

// cleanService is what serves a card as its plan says.
func cleanService(t *testing.T, spec *plan.Worker, record fileID) *bsdSeen {
	t.Helper()
	s := &bsdSeen{
		Proc: kinfo.Proc{PID: testPID + 2, Parent: testKeeper, Comm: "skep", UID: spec.UID, RUID: spec.UID, SVUID: spec.UID, Groups: []int{spec.GID},
			RGID: spec.GID, SVGID: spec.GID, JID: testJID + 2, Threads: 5, Capability: true},
		Controls: kinfo.Controls{ASLR: num(-0x7fffffff), WXMap: num(-0x7ffffffe), NoNewPrivs: num(1), Trace: num(-1)},
		Params:   map[string]string{"children.cur": "0", "dying": "false", "vnet": "inherit"},
		Devices:  map[int]string{0: "null", 4: "bpf"}, FilesRead: true,
		Limits: map[string][2]uint64{}, Rules: slices.Clone(spec.Rules), RulesRead: true, Counted: true,
		Rootfs: bsdRootfs{Root: spec.Root, MountRead: true, FilesRead: true,
			Mounts: []bsdMount{{On: spec.Root, Kind: "tmpfs", Flags: mntReadOnly | mntNoSUID | mntNoExec}}},
		Own: map[string]fileID{ownRecord + " log": record},
	}
	for _, p := range spec.Params() {
		s.Params[p.Name] = p.Value()
	}
	for _, l := range spec.Rlimits {
		s.Limits[l.Name] = [2]uint64{l.Value, l.Value}
	}
	file := func(fd int, kind kinfo.FileType, vnode kinfo.Vnode, rights string) kinfo.File {
		return kinfo.File{FD: fd, Type: kind, Vnode: vnode, Rights: rightsOf(t, rights)}
	}
	dir := func(fd int) kinfo.File {
		return kinfo.File{FD: fd, Type: kinfo.TypeVnode, Vnode: kinfo.Directory, Path: spec.Root}
	}
	log := file(6, kinfo.TypeVnode, kinfo.Regular, "read write seek seek_tell fstat ftruncate fcntl")
	log.Fsid, log.ID = record.Dev, record.Inode
	control := file(3, kinfo.TypeSocket, 0, "read write event fcntl")
	control.Domain = 1
	s.Files = []kinfo.File{
		dir(kinfo.CWD), dir(kinfo.Root), dir(kinfo.Jail),
		file(0, kinfo.TypeVnode, kinfo.Character, ""), file(1, kinfo.TypePipe, 0, "write fstat"), file(2, kinfo.TypePipe, 0, "write fstat"), control,
		file(4, kinfo.TypeVnode, kinfo.Character, "read write event fcntl fstat ioctl"), file(5, kinfo.TypePipe, 0, "read event fcntl fstat"), log,
	}
	return s
}

// What serves a card is as planned, and its tap is alone in its network stack; whatever else is true of them is found.
func TestBSDServices(t *testing.T) {
	st := bsdCell(t, "nic \"lan\" { network = \"sinkhole\" }")
	var spec *plan.Network
	for _, n := range plan.Specs[*plan.Network](st.Plan) {
		spec = n
	}
	clean := func() *bsdSeen {
		s := cleanSeen(t, st)
		s.Services = map[string]*bsdSeen{"network:lan": cleanService(t, spec.Process, fileID{7, 70})}
		tag := plan.TapTag("web", "lan")
		s.Stack = &bsdStack{Params: map[string]string{}, Interfaces: []string{"lo0", spec.Tap}, Read: true,
			Links: map[string]network.Link{"lo0": {}, spec.Tap: {Kind: "tap", Tag: tag, Up: true}}}
		for _, p := range (&plan.Stack{Jail: spec.Stack}).Params(false) {
			s.Stack.Params[p.Name] = p.Value()
		}
		return s
	}
	service := func(change func(*bsdSeen)) func(*bsdSeen) {
		return func(s *bsdSeen) { change(s.Services["network:lan"]) }
	}
	for _, tt := range []struct {
		name, row string
		want      Verdict
		change    func(*bsdSeen)
	}{
		{"nothing", "", Seen, func(*bsdSeen) {}},
		{"no process", "network-lan-uid", Missing, func(s *bsdSeen) { s.Services = nil }},
		{"root", "network-lan-uid", Missing, service(func(s *bsdSeen) { s.Proc.UID = 0 })},
		{"another with its uid", "network-lan-company", Extra, service(func(s *bsdSeen) { s.Others = []kinfo.Proc{{PID: 9, Comm: "sh"}} })},
		{"no capability mode", "network-lan-capsicum", Missing, service(func(s *bsdSeen) { s.Proc.Capability = false })},
		{"bhyve's jail", "network-lan-jail", Missing, service(func(s *bsdSeen) { s.Proc.JID = testJID })},
		{"a permission", "network-lan-jail", Extra, service(func(s *bsdSeen) { s.Params["allow.raw_sockets"] = "true" })},
		{"a network", "network-lan-jail", Extra, service(func(s *bsdSeen) { s.Params["ip4"] = "inherit" })},
		{"a file in its root", "network-lan-rootfs", Extra, service(func(s *bsdSeen) { s.Rootfs.Files = []string{"/etc/passwd"} })},
		{"a file that is nobody's", "network-lan-descriptors", Extra, service(func(s *bsdSeen) { s.Files[len(s.Files)-1].ID++ })},
		{"a socket of the host's", "network-lan-descriptors", Extra, service(func(s *bsdSeen) { s.Files[6].Domain = 2 })},
		{"bpf(4) without a bound", "network-lan-descriptor-rights", Extra, service(func(s *bsdSeen) { s.Files[7].Rights = kinfo.AllRights })},
		{"more files", "network-lan-rlimits", Extra, service(func(s *bsdSeen) { s.Limits["nofile"] = [2]uint64{9999, 9999} })},
		{"no rule", "network-lan-rctl", Missing, service(func(s *bsdSeen) { s.Rules = s.Rules[1:] })},
		{"no stack", "stack", Missing, func(s *bsdSeen) { s.Stack = nil }},
		{"a stack that cannot be read", "stack", Unknown, func(s *bsdSeen) { s.Stack.Read = false }},
		{"the tap is elsewhere", "stack", Extra, func(s *bsdSeen) { delete(s.Stack.Links, spec.Tap) }},
		{"another tap of that name", "stack", Extra, func(s *bsdSeen) { s.Stack.Links[spec.Tap] = network.Link{Up: true} }},
		{"one interface more", "stack", Extra, func(s *bsdSeen) { s.Stack.Interfaces = append(s.Stack.Interfaces, "epair0b") }},
		{"a loopback that is up", "stack", Extra, func(s *bsdSeen) { s.Stack.Links["lo0"] = network.Link{Up: true} }},
		{"an address", "stack", Extra, func(s *bsdSeen) { s.Stack.Addresses = []string{spec.Tap + ": family 2, 0a000001"} }},
		{"a process", "stack", Extra, func(s *bsdSeen) { s.Stack.Inside = []string{"800 (sh)"} }},
		{"the host's stack", "stack", Extra, func(s *bsdSeen) { s.Stack.Params["vnet"] = "inherit" }},
		{"root in it", "stack", Extra, func(s *bsdSeen) { s.Stack.Params["allow.suser"] = "true" }},
	} {
		s := clean()
		tt.change(s)
		r, err := judgeFreeBSD(s, st, same)
		if err != nil {
			t.Fatal(err)
		}
		if got := verdictOf(r, tt.row); tt.row != "" && got != tt.want {
			t.Errorf("%s: the row %s is %s", tt.name, tt.row, got)
		}
		for _, row := range r.Rows {
			if tt.row == "" && row.Verdict != Seen && (row.ID == "stack" || strings.HasPrefix(row.ID, "network-lan")) {
				t.Errorf("%s: the row %s is %s: %s", tt.name, row.ID, row.Verdict, row.Seen)
			}
		}
	}
}

// A capture reads what passes and can send nothing.
func TestBSDCapture(t *testing.T) {
	st := bsdCell(t, "nic \"lan\" {\n bridge = \"bridge0\"\n capture = true\n}")
	var spec *plan.Capture
	for _, c := range plan.Specs[*plan.Capture](st.Plan) {
		spec = c
	}
	for rights, want := range map[string]Verdict{"read event fcntl fstat ioctl": Seen, "read write event fcntl fstat ioctl": Extra} {
		s := cleanSeen(t, st)
		v := cleanService(t, spec.Process, fileID{7, 70})
		v.Files[7].Rights = rightsOf(t, rights)
		s.Services = map[string]*bsdSeen{"capture:lan": v}
		r, err := judgeFreeBSD(s, st, same)
		if err != nil {
			t.Fatal(err)
		}
		if got := verdictOf(r, "capture-lan-descriptor-rights"); got != want {
			t.Errorf("bpf(4) good for %s: the row is %s", rights, got)
		}
	}
}
