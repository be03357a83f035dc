package jailparam

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

// cell is a jail as skep makes it, with every kind of parameter.
func cell() []Param {
	return []Param{
		String("name", "skep_web"),
		String("path", "/var/run/skep/web/root"),
		String("host.hostname", "web"),
		Bool("persist", true),
		Int("devfs_ruleset", 1000),
		Int("enforce_statfs", 2),
		Int("children.max", 0),
		Int("securelevel", 3),
		Bool("allow.vmm", true),
		Bool("allow.suser", false),
		Bool("allow.mount.devfs", false),
		System("ip4", Disable),
		System("vnet", New),
		IP4(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.0.0.255")),
		IP6(netip.MustParseAddr("2001:db8::7")),
	}
}

func TestEncode(t *testing.T) {
	got, err := Encode(cell())
	if err != nil {
		t.Fatal(err)
	}
	num := func(n uint32) string { return string(binary.NativeEndian.AppendUint32(nil, n)) }
	want := []string{
		"name\x00", "skep_web\x00",
		"path\x00", "/var/run/skep/web/root\x00",
		"host.hostname\x00", "web\x00",
		"persist\x00", "",
		"devfs_ruleset\x00", num(1000),
		"enforce_statfs\x00", num(2),
		"children.max\x00", num(0),
		"securelevel\x00", num(3),
		"allow.vmm\x00", "",
		"allow.nosuser\x00", "",
		"allow.mount.nodevfs\x00", "",
		"ip4\x00", num(0),
		"vnet\x00", num(1),
		"ip4.addr\x00", "\xc0\x00\x02\x01\x0a\x00\x00\xff",
		"ip6.addr\x00", "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07",
	}
	if len(got) != len(want) {
		t.Fatalf("%d elements, want %d", len(got), len(want))
	}
	for i := range want {
		if string(got[i]) != want[i] {
			t.Errorf("element %d is %q, want %q", i, got[i], want[i])
		}
	}
	if got[7] != nil {
		t.Error("a boolean's value is no null pointer")
	}
}

func TestText(t *testing.T) {
	params := append(cell(), Own("mount.devfs"), Own("exec.start", `/bin/sh -c "echo $HOME"`), Own("exec.stop", ""))
	conf, err := Conf("skep_web", params)
	if err != nil {
		t.Fatal(err)
	}
	want := `skep_web {
	path = "/var/run/skep/web/root";
	host.hostname = web;
	persist;
	devfs_ruleset = 1000;
	enforce_statfs = 2;
	children.max = 0;
	securelevel = 3;
	allow.vmm;
	allow.nosuser;
	allow.mount.nodevfs;
	ip4 = disable;
	vnet = new;
	ip4.addr = 192.0.2.1, 10.0.0.255;
	ip6.addr = 2001:db8::7;
	mount.devfs;
	exec.start = "/bin/sh -c \"echo \$HOME\"";
	exec.stop = "";
}
`
	if conf != want {
		t.Errorf("got\n%swant\n%s", conf, want)
	}
	if _, err := Conf("other", params); err == nil {
		t.Error("a jail with two names was written")
	}
	argv, err := Argv(params)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(argv, " ")
	if want := `jail -c name=skep_web path=/var/run/skep/web/root host.hostname=web persist devfs_ruleset=1000 enforce_statfs=2 ` +
		`children.max=0 securelevel=3 allow.vmm allow.nosuser allow.mount.nodevfs ip4=disable vnet=new ` +
		`ip4.addr=192.0.2.1,10.0.0.255 ip6.addr=2001:db8::7 mount.devfs exec.start=/bin/sh -c "echo $HOME" exec.stop=`; line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	if _, err := Encode(params); err == nil {
		t.Error("exec.start went to the kernel")
	}
	if _, err := Encode(Kernel(params)); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	six := netip.MustParseAddr("2001:db8::1")
	for name, params := range map[string][]Param{
		"no name":            {String("", "x")},
		"name with a NUL":    {Bool("allow.vmm\x00", true)},
		"name with a space":  {Bool("allow vmm", true)},
		"name with a dot":    {Bool("allow.", true)},
		"NUL in a value":     {String("path", "/a\x00b")},
		"twice":              {Bool("persist", true), Bool("persist", false)},
		"IPv6 among IPv4":    {IP4(six)},
		"IPv4 among IPv6":    {IP6(netip.MustParseAddr("192.0.2.1"))},
		"mapped":             {IP6(netip.MustParseAddr("::ffff:192.0.2.1"))},
		"zone":               {IP6(six.WithZone("em0"))},
		"no address":         {IP4(netip.Addr{})},
		"no such system":     {System("ip4", 3)},
		"the zero parameter": {{}},
	} {
		if _, err := Encode(params); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

// Nothing that a text holds ends its element early or opens another.
func FuzzEncode(f *testing.F) {
	f.Add("host.hostname", "web")
	f.Add("a.b", "x\x00y")
	f.Fuzz(func(t *testing.T, name, value string) {
		iov, err := Encode([]Param{String(name, value), Bool("persist", true)})
		if err != nil {
			return
		}
		if len(iov) != 4 || !bytes.Equal(iov[0], append([]byte(name), 0)) || !bytes.Equal(iov[1], append([]byte(value), 0)) ||
			bytes.IndexByte(iov[0], 0) != len(name) || bytes.IndexByte(iov[1], 0) != len(value) {
			t.Errorf("%q %q became %q", name, value, iov)
		}
	})
}
