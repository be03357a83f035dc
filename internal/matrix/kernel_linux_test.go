package main

import (
	"strings"
	"testing"
)

// A booted machine speaks on its console, among all that others say there.
func TestConsole(t *testing.T) {
	var r result
	end, whole := r.listen(strings.NewReader("Starting…\r\nMATRIX kernel 6.12.1\r\n\r\n[  3.1] x: y\nMATRIX systemd 257\r\nMATRIX pass the unit is active\r\n"+
		"MATRIX fail the audit of second: extra descriptors 21\r\nMATRIX end\r\nBye"), false)
	if !whole || !strings.HasSuffix(end, "Bye") || r.Kernel != "6.12.1" || r.Systemd != "257" {
		t.Errorf("%v %q %+v", whole, end, r)
	}
	if len(r.Tests) != 2 || r.failures() != 1 || r.Tests[1].Why != "extra descriptors 21" {
		t.Errorf("%+v", r.Tests)
	}
	if _, whole := r.listen(strings.NewReader("MATRIX kernel 1\nKernel panic"), false); whole {
		t.Error("a panic passes as the end")
	}
}
