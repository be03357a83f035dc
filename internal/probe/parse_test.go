package probe

import (
	"strings"
	"testing"
	"testing/fstest"

	"skep/internal/host"

	"github.com/google/go-cmp/cmp"
)

func TestSubID(t *testing.T) {
	const passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000:Alice,,,:/home/alice:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n"
	for name, tt := range map[string]struct {
		subuid, subgid string
		helpers        bool
		want           *host.SubID
	}{
		"by name":            {"alice:100000:65536\n", "alice:200000:65536\n", true, &host.SubID{UIDStart: 100000, UIDCount: 65536, GIDStart: 200000, GIDCount: 65536}},
		"by number":          {"1000:100000:65536\n", "1000:100000:65536\n", true, &host.SubID{UIDStart: 100000, UIDCount: 65536, GIDStart: 100000, GIDCount: 65536}},
		"the largest":        {"alice:1:5\nalice:100000:65536\nalice:9:9\n", "alice:100000:10\n", true, &host.SubID{UIDStart: 100000, UIDCount: 65536, GIDStart: 100000, GIDCount: 10}},
		"no helpers":         {"alice:100000:65536\n", "alice:100000:65536\n", false, nil},
		"no gids":            {"alice:100000:65536\n", "bob:100000:65536\n", true, nil},
		"somebody else's":    {"bob:100000:65536\n", "bob:100000:65536\n", true, nil},
		"a name's beginning": {"ali:1:2\nalicent:1:2\n", "alice:1:2\n", true, nil},
		"nonsense":           {"alice\nalice:x:1\nalice:1\n:1:2\nalice:1:0\nalice:-1:5\nalice:1:2:3\n\n", "alice:1:2\n", true, nil},
		"past 32 bits":       {"alice:99999999999:1\n", "alice:1:2\n", true, nil},
		"no newline":         {"alice:100000:65536", "alice:100000:65536", true, &host.SubID{UIDStart: 100000, UIDCount: 65536, GIDStart: 100000, GIDCount: 65536}},
	} {
		a := accountFiles{passwd: passwd, subuid: tt.subuid, subgid: tt.subgid}
		if d := cmp.Diff(tt.want, a.subID(1000, tt.helpers)); d != "" {
			t.Error(name, d)
		}
	}
}

func TestClash(t *testing.T) {
	s := host.Slots{Count: 10, UIDBase: 1000}
	for name, tt := range map[string]struct {
		a     accountFiles
		clash bool
	}{
		"nobody":         {accountFiles{passwd: "a:x:999:0:::\nb:x:1020:0:::\n", group: "g:x:999:\n", subuid: "a:990:10\n", subgid: "a:1020:10\n"}, false},
		"first":          {accountFiles{passwd: "a:x:1000:0:::\n"}, true},
		"last":           {accountFiles{group: "a:x:1009:\n"}, true},
		"a worker's":     {accountFiles{passwd: "a:x:1019:0:::\n"}, true},
		"range around":   {accountFiles{subuid: "a:1:5000\n"}, true},
		"range touching": {accountFiles{subgid: "a:1009:1\n"}, true},
	} {
		if got := tt.a.clash(s); (got != "") != tt.clash {
			t.Errorf("%s: %q", name, got)
		}
	}
	// The default range keeps clear of what useradd(8) hands out by itself.
	d := host.Slots{Count: host.MaxCount, UIDBase: host.DefaultUIDBase}
	a := accountFiles{passwd: "nobody:x:65534:65534:::\n", subuid: "a:100000:600000000\npodman:2147483647:2147483648\n"}
	if got := a.clash(d); got != "" {
		t.Error(got)
	}
}

const (
	debianDescriptor = `{"interface-types":["uefi"],"mapping":{"device":"flash",
	"executable":{"filename":"/usr/share/OVMF/OVMF_CODE_4M.fd","format":"raw"},
	"nvram-template":{"filename":"/usr/share/OVMF/OVMF_VARS_4M.fd","format":"raw"}},
	"targets":[{"architecture":"x86_64","machines":["pc-i440fx-*","pc-q35-*"]}],"features":["acpi-s3"],"tags":[]}`
	secureDescriptor = `{"interface-types":["uefi"],"mapping":{"device":"flash",
	"executable":{"filename":"/s/CODE.fd","format":"raw"},"nvram-template":{"filename":"/s/VARS.fd","format":"raw"}},
	"targets":[{"architecture":"x86_64","machines":["pc-q35-*"]}],"features":["requires-smm","secure-boot"]}`
	qcow2Descriptor = `{"interface-types":["uefi"],"mapping":{"device":"flash","mode":"split",
	"executable":{"filename":"/q/CODE.qcow2","format":"qcow2"},"nvram-template":{"filename":"/q/VARS.qcow2","format":"qcow2"}},
	"targets":[{"architecture":"x86_64","machines":["pc-q35-*"]}],"features":[]}`
	armDescriptor = `{"interface-types":["uefi"],"mapping":{"device":"flash",
	"executable":{"filename":"/a/CODE.fd","format":"raw"},"nvram-template":{"filename":"/a/VARS.fd","format":"raw"}},
	"targets":[{"architecture":"aarch64","machines":["virt-*"]}],"features":[]}`
	relativeDescriptor = `{"interface-types":["uefi"],"mapping":{"device":"flash",
	"executable":{"filename":"../CODE.fd","format":"raw"},"nvram-template":{"filename":"VARS.fd","format":"raw"}},
	"targets":[{"architecture":"x86_64","machines":["pc-q35-*"]}],"features":[]}`
)

// What Secure Boot needs has keys in it; a firmware that could have some is not enough.
func TestOVMFSecure(t *testing.T) {
	enrolled := strings.Replace(strings.ReplaceAll(secureDescriptor, "/s/", "/e/"), `"secure-boot"`, `"secure-boot","enrolled-keys"`, 1)
	host := fstest.MapFS{
		"s/CODE.fd": file("x"), "s/VARS.fd": file("x"), "e/CODE.fd": file("x"), "e/VARS.fd": file("x"),
		"usr/share/qemu/firmware/10-plain.json":  file(debianDescriptor),
		"usr/share/qemu/firmware/20-secure.json": file(secureDescriptor),
	}
	if got, _ := findOVMF(host, true); got != nil {
		t.Errorf("%+v", got)
	}
	host["usr/share/qemu/firmware/30-enrolled.json"] = file(enrolled)
	if got, _ := findOVMF(host, true); got == nil || got.Vars != "/e/VARS.fd" {
		t.Errorf("%+v", got)
	}
}

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func TestOVMF(t *testing.T) {
	debian := fstest.MapFS{
		"usr/share/OVMF/OVMF_CODE_4M.fd": file("code"), "usr/share/OVMF/OVMF_VARS_4M.fd": file("vars"),
		"s/CODE.fd": file("x"), "s/VARS.fd": file("x"), "a/CODE.fd": file("x"), "a/VARS.fd": file("x"),
		"q/CODE.qcow2": file("x"), "q/VARS.qcow2": file("x"),
	}
	with := func(extra fstest.MapFS) fstest.MapFS {
		out := fstest.MapFS{}
		for _, m := range []fstest.MapFS{debian, extra} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	want := &host.OVMF{Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd"}
	known := *want
	known.By = "a known path"
	for name, tt := range map[string]struct {
		fs   fstest.MapFS
		by   string
		want *host.OVMF
	}{
		"descriptor": {with(fstest.MapFS{
			"usr/share/qemu/firmware/10-arm.json":      file(armDescriptor),
			"usr/share/qemu/firmware/20-qcow2.json":    file(qcow2Descriptor),
			"usr/share/qemu/firmware/30-relative.json": file(relativeDescriptor),
			"usr/share/qemu/firmware/40-broken.json":   file("{"),
			"usr/share/qemu/firmware/50-secure.json":   file(secureDescriptor),
			"usr/share/qemu/firmware/60-plain.json":    file(debianDescriptor),
		}), "/usr/share/qemu/firmware/60-plain.json", want},
		"switched off by the admin": {with(fstest.MapFS{
			"etc/qemu/firmware/60-plain.json":       file(""),
			"usr/share/qemu/firmware/60-plain.json": file(debianDescriptor),
		}), "", &known},
		"no descriptors":      {debian, "", &known},
		"descriptor of ghost": {fstest.MapFS{"usr/share/qemu/firmware/60.json": file(debianDescriptor)}, "", nil},
		"half a pair":         {fstest.MapFS{"usr/share/OVMF/OVMF_CODE_4M.fd": file("x")}, "", nil},
		"an empty file":       {fstest.MapFS{"usr/share/OVMF/OVMF_CODE_4M.fd": file(""), "usr/share/OVMF/OVMF_VARS_4M.fd": file("x")}, "", nil},
		"nothing":             {fstest.MapFS{}, "", nil},
	} {
		got, paths := findOVMF(tt.fs, false)
		want := tt.want
		if tt.by != "" {
			c := *want
			c.By = tt.by
			want = &c
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(name, d)
		}
		if len(paths) == 0 {
			t.Error(name, "nothing was looked at")
		}
	}
}

func TestDistro(t *testing.T) {
	for text, want := range map[string]string{
		"ID=debian\n": "debian",
		"NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian":   "debian",
		"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"": "fedora",
		"ID_LIKE=arch\nID=manjaro\n":                   "arch",
		"ID=\"opensuse-leap\"\n":                       "suse",
		"ID=nixos\n":                                   "",
		"ID=freebsd2\n":                                "",
		"":                                             "",
	} {
		if got := distroOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestBhyveTexts(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want can
	}{
		"14.2":                  {"Usage\x00basl_fwrite\x00acpi_tables\x00/usr/sbin/iasl -p %s %s\x00rfb\x00", can{Tables: true, NeedsIASL: true, IASL: "/usr/sbin/iasl"}},
		"15.1":                  {"acpi_tables\x00acpi_tables_in_memory\x00/usr/sbin/iasl -p %s\x00unix:\x00", can{Tables: true, VNCUnix: true, NeedsIASL: true, IASL: "/usr/sbin/iasl"}},
		"15":                    {"       -M: monitor mode\n\x00\x00unix:\x00/usr/sbin/iasl\x00", can{Monitor: true, VNCUnix: true, NeedsIASL: true, IASL: "/usr/sbin/iasl"}},
		"none":                  {"", can{}},
		"part of a longer text": {"\x00listens on unix: sockets\x00", can{}},
	} {
		if d := cmp.Diff(tt.want, whatCan([]byte(tt.text))); d != "" {
			t.Error(name, d)
		}
	}
}

func TestVirtualisation(t *testing.T) {
	for text, want := range map[string]string{
		"CPU: Intel\n  Features=0x1<FPU,VME>\n  Features2=0xfffa3203<SSE3,VMX,SSSE3>\n": "vmx",
		"  AMD Features=0x2e500800<SYSCALL>\n  AMD Features2=0x4003f3<LAHF,CMP,SVM>\n":  "svm",
		"  Features2=0x1<SSE3,XVMX>\n  AMD Features2=0x1<LAHF>\n":                       "",
		"noise about VMX and SVM\n": "",
	} {
		if got := virtualisation(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestRuleNumbers(t *testing.T) {
	got := ruleNumbers("# [no=9]\n[devfsrules_hide_all=1]\nadd hide\n [ mine = 25 ]\nadd path 'x[=7]*' unhide\n[huge=70000]\n[zero=0]\n")
	if d := cmp.Diff([]int{1, 25}, got); d != "" {
		t.Error(d)
	}
}

func TestInterfacesOfType(t *testing.T) {
	message := func(kind, index, iftype byte) []byte {
		m := make([]byte, 168)
		m[0], m[3], m[12], m[16] = 168, kind, index, iftype
		return m
	}
	var rib []byte
	for _, m := range [][]byte{message(0xe, 1, 6), message(0xe, 2, 0xd1), message(0xc, 3, 0xd1), message(0xe, 4, 0xd1)} {
		rib = append(rib, m...)
	}
	if d := cmp.Diff([]int{2, 4}, interfacesOfType(rib, 0xd1)); d != "" {
		t.Error(d)
	}
	for n := range len(rib) {
		interfacesOfType(rib[:n], 0xd1) // cut short anywhere, it ends
	}
}

func TestOrderFirmware(t *testing.T) {
	got := orderFirmware([]string{"/f/BHYVE_UEFI_CODE.fd", "/f/BHYVE_UEFI_CSM.fd", "/f/BHYVE_UEFI_VARS.fd", "/f/BHYVE_UEFI.fd"})
	if d := cmp.Diff([]string{"/f/BHYVE_UEFI.fd", "/f/BHYVE_UEFI_CODE.fd", "/f/BHYVE_UEFI_CSM.fd"}, got); d != "" {
		t.Error(d)
	}
}
