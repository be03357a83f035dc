package usage

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// What the kernel says of this process is what getrusage(2) says, which is another way to ask.
func TestThisProcess(t *testing.T) {
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
	}
	seconds := func() float64 {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			t.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
	}
	before := seconds()
	u, err := Of(os.Getpid(), nil)
	after := seconds()
	const some = 0.1 // two clocks
	if err != nil || u.CPU < before-some || u.CPU > after+some || u.CPU < 0.01 {
		t.Errorf("%v seconds, between %v and %v; %v", u.CPU, before, after, err)
	}
	if u.Memory < 1<<20 || u.Memory > 1<<30 {
		t.Errorf("%d bytes", u.Memory)
	}
	if age, err := Age(os.Getpid()); err != nil || age < 300*time.Millisecond || age > time.Hour {
		t.Errorf("here for %v, %v", age, err)
	}
}

// The loopback interface receives what it sends.
func TestInterface(t *testing.T) {
	in, out := ofTap("lo0")
	c, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const size = 1000
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		nowIn, nowOut := ofTap("lo0")
		if nowIn-in >= size && nowOut-out >= size {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("in %d to %d, out %d to %d", in, nowIn, out, nowOut)
		}
	}
	if in, out := ofTap("none9"); in != 0 || out != 0 {
		t.Errorf("an interface that is not there: %d, %d", in, out)
	}
}
