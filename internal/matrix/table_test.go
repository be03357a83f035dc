package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var r result
	events := `{"Action":"output","Package":"p","Test":"TestMatrix/root/hello","Output":"    matrix_linux_test.go:1: it failed: a | b\n"}
{"Action":"output","Package":"p","Test":"TestMatrix/root/hello","Output":"        skep: error: cannot start: the cause\n"}
{"Action":"fail","Package":"p","Test":"TestMatrix/root/hello"}
{"Action":"output","Package":"p","Test":"TestMatrix/user/hello","Output":"    x.go:1: skep: error: cannot start: the cause\n"}
{"Action":"fail","Package":"p","Test":"TestMatrix/user/hello"}
{"Action":"output","Package":"p","Test":"TestMatrix/user/kvm","Output":"    x.go:7: needs KVM: no\n"}
{"Action":"skip","Package":"p","Test":"TestMatrix/user/kvm"}
{"Action":"pass","Package":"p","Test":"TestMatrix/root/kvm"}
{"Action":"fail","Package":"p","Test":"TestMatrix/root"}
`
	r.Release, r.QEMU, r.Libc = "sid", "11.1.3", "2.43"
	r.read(strings.NewReader(events), false)
	var b strings.Builder
	printSuites(&b, []result{r, {Release: "bullseye", Skipped: "no mirror"}})
	want := `| Debian | QEMU | glibc | hello | kvm |
|---|---|---|---|---|
| sid | 11.1.3 | 2.43 | root, user failed: skep: error: cannot start: the cause | ok; user not tried: needs KVM: no |
| bullseye | not tried: no mirror |  | – | – |
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if n := r.failures(); n != 2 {
		t.Errorf("%d columns failed, want 2", n)
	}
}

// A release in which no cell can run is a failure, not a row of dashes.
func TestNoCellIsAFailure(t *testing.T) {
	r := result{Release: "bullseye", QEMU: "5.2.0"}
	r.read(strings.NewReader(`{"Action":"output","Package":"p","Test":"TestMatrix","Output":"    x.go:3: this host runs no cell: QEMU is too old\n"}
{"Action":"skip","Package":"p","Test":"TestMatrix"}
`), false)
	other := result{Release: "sid", Tests: []test{{Name: "TestMatrix/root/hello", Action: "pass"}}}
	var b strings.Builder
	printSuites(&b, []result{r, other})
	if r.failures() != 1 || !strings.Contains(b.String(), "| failed: this host runs no cell: QEMU is too old |") {
		t.Errorf("%d failures\n%s", r.failures(), b.String())
	}
}
