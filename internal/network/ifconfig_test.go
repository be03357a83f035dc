package network

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What ifconfig(8) prints on FreeBSD 14.2 and 15.1.
func TestParseIfconfig(t *testing.T) {
	tap := parseIfconfig("tap8088: flags=8943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST> metric 0 mtu 9000\n" +
		"\tdescription: skep tap laptop lan\n\toptions=80000<LINKSTATE>\n\tether 58:9c:fc:10:ff:d1\n\tgroups: tap\n\tmedia: Ethernet 1000baseT <full-duplex>\n" +
		"\tstatus: active\n\tnd6 options=29<PERFORMNUD,IFDISABLED,AUTO_LINKLOCAL>\n\tOpened by PID 4711\n")
	want := Link{Name: "tap8088", Kind: "tap", MTU: 9000, MAC: "58:9c:fc:10:ff:d1", Tag: "skep tap laptop lan", Up: true}
	if d := cmp.Diff(want, tap.link("tap8088")); d != "" {
		t.Error(d)
	}
	bridge := parseIfconfig("bridge0: flags=1008802<BROADCAST,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500\n" +
		"\tether 58:9c:fc:10:1e:63\n\tid 00:00:00:00:00:00 priority 32768 hellotime 2 fwddelay 15\n" +
		"\tmember: tap1 flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>\n\t        port 5 priority 128 path cost 2000000 vlan protocol 802.1q\n\t        untagged 10 tagged 20-30\n" +
		"\tmember: em0 flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>\n\t        port 1 priority 128 path cost 20000\n\tgroups: bridge\n")
	if d := cmp.Diff([]string{"tap1", "em0"}, bridge.members); d != "" || bridge.mtu != 1500 || bridge.up {
		t.Error(d, bridge.mtu, bridge.up)
	}
	if bridge.vlans["tap1"] != "untagged 10 tagged 20-30" || bridge.vlans["em0"] != "" || bridge.link("bridge0").Kind != "bridge" {
		t.Errorf("%+v", bridge)
	}
}
