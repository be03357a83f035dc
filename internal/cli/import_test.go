package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
)

const articleJailConf = `exec.start = "/bin/sh /etc/rc";
mount.devfs;
path = "/usr/jails/$name";
ip4.addr = "192.168.1.2";
bhyve-01 {
	allow.vmm;
	devfs_ruleset = 25;
}
`

func TestImport(t *testing.T) {
	dir := t.TempDir()
	conf := write(t, filepath.Join(dir, "jail.conf"), articleJailConf)
	rules := write(t, filepath.Join(dir, "devfs.rules"), articleRules+"add path zvol unhide\nadd path zvol/tank unhide\nadd path zvol/tank/disk-01 unhide\n")
	rc := write(t, filepath.Join(dir, "rc.conf"), "cloned_interfaces=\"bridge0 tap0\"\nifconfig_bridge0=\"addm em0 addm tap0 up\"\n")
	args := []string{"import", "--jail-conf", conf, "--devfs-rules", rules, "--rc-conf", rc, "--nodes", "typical", "--depth", "1", "bhyve-01"}
	s := skep(t, args...).want(t, fault.OK,
		"skep: warning: the old jail saw kmem mem (no rule that ran hid it)",
		`the kernel did not follow "include 1" in rule 100 of set 4: vfs.devfs.rule_depth is 1`,
		"rc.conf: tap0 stays the host's, on bridge0")
	want := `cell "bhyve-01" {
  boot = "uefi"
  disk "disk-01" {
    zvol = "tank/disk-01"
  }
  nic "tap0" {
    tap = "tap0"
  }
  jail {
    network = "shared"
    ip4     = ["192.168.1.2"]
  }
}
`
	if s.out != want {
		t.Error(s.out)
	}
	// A host whose kernel follows includes hid the memory.
	args[len(args)-2] = "2"
	skep(t, args...).want(t, fault.OK, "!kmem", "!did not follow")

	// A file that is there is left alone.
	out := filepath.Join(dir, "cells/bhyve-01.hcl")
	args = append(args, "-o", out)
	skep(t, args...).want(t, fault.OK)
	if b, err := os.ReadFile(out); err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	skep(t, args...).want(t, fault.Input, "it already exists")
	skep(t, "check", out).want(t, fault.OK)
}

func TestImportMistakes(t *testing.T) {
	dir := t.TempDir()
	conf := write(t, filepath.Join(dir, "jail.conf"), articleJailConf)
	rules := write(t, filepath.Join(dir, "devfs.rules"), articleRules)
	bad := write(t, filepath.Join(dir, "bad.conf"), "a {\n\tpath = \n}\nb { x = ; }\n")
	for _, tc := range []struct {
		line string
		want []string
	}{
		{"--jail-conf " + conf + " bhyve-01", []string{"skep import needs --vm-bhyve, --libvirt, --qemu, or --jail-conf and --devfs-rules"}},
		{"--jail-conf " + conf + " --devfs-rules " + rules, []string{"one jail of the file, got 0"}},
		{"--jail-conf " + conf + " --devfs-rules " + rules + " nobody", []string{`no jail "nobody" is defined`, "there are: bhyve-01"}},
		{"--jail-conf /no/such --devfs-rules " + rules + " x", []string{"cannot read /no/such: no such file"}},
		{"--jail-conf " + conf + " --devfs-rules /no/such x", []string{"cannot read /no/such"}},
		{"--jail-conf " + conf + " --devfs-rules " + rules + " --rc-conf /no/such x", []string{"cannot read /no/such"}},
		// Each mistake has its place, and a line of its own.
		{"--jail-conf " + bad + " --devfs-rules " + rules + " a", []string{"bad.conf:3:1: ", "\nskep: error: cannot read jail.conf(5): " + bad + ":4:9: "}},
	} {
		s := skep(t, append([]string{"import"}, strings.Fields(tc.line)...)...).want(t, fault.Input, tc.want...)
		if s.out != "" {
			t.Errorf("%q wrote a cell: %s", tc.line, s.out)
		}
	}
}
