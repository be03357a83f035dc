package provision

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/network"
	"skep/internal/plan"
)

// An address on a bridge is one card's, for as long as that has its tap. A claim whose keeper was killed in the middle
// of writing it is nobody's, and goes.
func TestCardClaims(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace with taps needs root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		cardClaims(t)
	}()
	<-done
}

func cardClaims(t *testing.T) {
	try := func(err error) {
		if err != nil {
			t.Helper()
			t.Error(err)
		}
	}
	claim := filepath.Join(t.TempDir(), "cards", "br0-525400000001")
	a := &plan.Tap{Label: "lan", Name: "skep0n0", Tag: "skep tap a lan", Bridge: "br0", Claim: claim}
	b := &plan.Tap{Label: "lan", Name: "skep1n0", Tag: "skep tap b lan", Bridge: "br0", Claim: claim}
	try(unclaimCard(a)) // nobody has ever claimed any
	_, err := network.MakeBridge("br0", "skep bridge br0", "", false)
	try(err)
	tap, err := network.OpenTap(a.Name, a.Tag, "br0", network.Port{})
	if err != nil {
		t.Error(err)
		return
	}
	try(claimCard(a))
	try(claimCard(a)) // it was written when its keeper died
	if err := claimCard(b); err == nil || !strings.Contains(err.Error(), `"a lan" has it`) {
		t.Errorf("a second card has it: %v", err)
	}
	try(unclaimCard(b))
	if has, _ := os.ReadFile(claim); string(has) != claimOf(a) {
		t.Errorf("it is %q after another one has let go", has)
	}
	try(tap.File.Close())
	try(network.DropTap(a.Name, a.Tag))
	try(claimCard(b)) // the first has died
	try(unclaimCard(a))
	if has, _ := os.ReadFile(claim); string(has) != claimOf(b) {
		t.Errorf("it is %q, not the second's", has)
	}
	for _, torn := range []string{"", b.Name, b.Name + "\nskep"} {
		try(os.WriteFile(claim, []byte(torn), 0o600))
		try(unclaimCard(b))
		if _, err := os.Stat(claim); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q stays: %v", torn, err)
		}
	}
}
