package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"skep/internal/host"
)

// facts is what skep doctor says of this host, asked once.
var facts = sync.OnceValues(func() (host.Facts, error) {
	var d struct {
		Facts host.Facts `json:"facts"`
	}
	dir, err := os.MkdirTemp("", "skep-doctor-")
	if err != nil {
		return d.Facts, err
	}
	defer os.RemoveAll(dir)
	l := &lab{dir: dir, env: labEnv(dir, labBase(labUIDs), labUIDs)}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out, err := l.command(ctx, "doctor", "--json").Output()
	if uerr := json.Unmarshal(out, &d); uerr != nil && err == nil {
		err = uerr
	}
	// What is dear to find out is remembered for every lab.
	entries, _ := os.ReadDir(filepath.Join(dir, "state/cache"))
	for _, e := range entries {
		b, _ := os.ReadFile(filepath.Join(dir, "state/cache", e.Name()))
		remembered[e.Name()] = b
	}
	return d.Facts, err
})

var remembered = map[string][]byte{}

// hostLacks says why no cell can run, or "".
func hostLacks() string {
	f, err := facts()
	switch {
	case f.Linux == nil && err != nil:
		return err.Error()
	case f.Linux == nil:
		return "not a Linux host"
	case f.Linux.QEMU == nil:
		return "no QEMU: " + f.Linux.QEMUWhy
	}
	return ""
}

// needTools leaves a test out before it begins where the host has not got one of the programs that it asks.
func needTools(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s", name)
		}
	}
}

// needKVM skips where KVM does not run the built-in guest.
func needKVM(t testing.TB) {
	t.Helper()
	needCells(t)
	if f, _ := facts(); !f.Linux.KVM.Works {
		t.Skip("needs KVM: " + f.Linux.KVM.Why)
	}
}

// needUEFI skips where there is no firmware.
func needUEFI(t testing.TB) {
	t.Helper()
	needCells(t)
	if f, _ := facts(); f.Linux.OVMF == nil {
		t.Skip("needs OVMF: apt install ovmf")
	}
}

// needTap skips where no tap can be made.
func needTap(t testing.TB) {
	t.Helper()
	needCells(t)
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skip("needs taps: " + strings.TrimSpace(err.Error()))
	}
}

// hostHas answers the conditions of scripts.
func hostHas(what string) bool {
	f, _ := facts()
	switch {
	case os.Geteuid() != 0 || hostLacks() != "":
		return false
	case what == "kvm":
		return f.Linux.KVM.Works
	case what == "uefi":
		return f.Linux.OVMF != nil
	}
	return what == "cells"
}
