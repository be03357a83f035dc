package trial

import (
	"io"
	"strings"
	"testing"

	"skep/guest/hello"
	"skep/internal/host"
)

// The greeting is found whatever comes before it, byte by byte; without it the guest has not greeted.
func TestGreets(t *testing.T) {
	for text, want := range map[string]bool{
		hello.Greeting: true, "\x1b[2Jnoise" + hello.Greeting + "more": true, hello.Greeting[:4] + hello.Greeting: true,
		"": false, hello.Greeting[:len(hello.Greeting)-1]: false,
	} {
		if got := greets(io.MultiReader(strings.NewReader(text))); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// What stands in the way of every cell says nothing of the accelerator, and is not remembered.
func TestUnsure(t *testing.T) {
	facts, err := host.Reference("linux")
	if err != nil {
		t.Fatal(err)
	}
	facts.Dirs.State, facts.Dirs.Run = "/dev/null/state", "/dev/null/run"
	if tr := KVM(t.Context(), facts); tr.Works || !tr.Unsure || tr.Why == "" {
		t.Errorf("%+v", tr)
	}
	facts.Linux.QEMU = nil
	if tr := TCG(t.Context(), facts); tr.Works || !tr.Unsure || tr.Hint == "" {
		t.Errorf("%+v", tr)
	}
}
