package e2e

import (
	"strings"
	"testing"
	"time"
)

// A guest sees the machine that its cell file describes, and the time.
func TestIdentityAndClock(t *testing.T) {
	k := needKernel(t)
	needTap(t)
	t.Parallel()
	ns, l := newNetns(t), newLab(t)
	l.cell("posing", `accel = "tcg"
memory = "192M"
identity {
  manufacturer = "Example Inc."
  product      = "Desktop 5"
  serial       = "EX-1"
  uuid         = "5ED0A5F2-0d5c-4c1b-9b5e-2f6d6c1d7a10"
  disk_serial  = "D-7"
  mac_oui      = "00:1B:21"
  cpu_name     = "Example CPU 3000"
}
clock { start = "2031-01-02T05:04:05+02:00" }
disk "one" {
  file = "`+l.path("one.img")+`"
  size = "1M"
}
disk "two" {
  file = "`+l.path("two.img")+`"
  size = "1M"
}
nic "lan" { bridge = "br0" }
`+kernelBlock(k))
	l.in = ns
	l.must(0, "up", "posing")
	c := l.console("posing")
	c.expect(boot, "guest: ready")
	c.send("identity\n")
	c.expect(slow, "guest: identity told")
	said := strings.ReplaceAll(c.out.String(), "\r", "")
	for _, want := range []string{
		"bios_vendor is Example Inc.", "sys_vendor is Example Inc.", "product_name is Desktop 5", "product_serial is EX-1",
		"product_uuid is 5ed0a5f2-0d5c-4c1b-9b5e-2f6d6c1d7a10", "board_vendor is Example Inc.", "chassis_vendor is Example Inc.",
		"disk vda is D-7", "disk vdb is D-72", "card eth0 is 00:1b:21:", "processor is Example CPU 3000",
	} {
		if !strings.Contains(said, "guest: "+want) {
			t.Errorf("the guest does not say %q", want)
		}
	}
	_, clock, _ := strings.Cut(said, "guest: clock is ")
	clock, _, _ = strings.Cut(clock, "\n")
	start := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	if at, err := time.Parse(time.RFC3339, clock); err != nil || at.Before(start) || at.After(start.Add(time.Hour)) {
		t.Errorf("the guest's clock says %q, it began with %s", clock, start)
	}
	if t.Failed() {
		t.Logf("%s", said)
	}
	l.must(0, "audit", "posing")
	l.must(0, "down", "posing")
}
