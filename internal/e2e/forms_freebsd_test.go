package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFormsOnAHost: a cell is run with jail(8), devfs(8) and bhyve(8) alone,
// from what plan --as prints, and nothing is left of it.
func TestFormsOnAHost(t *testing.T) {
	needs(t, "vmm", "nmdm")
	l := newLab(t)
	name := strings.ReplaceAll(filepath.Base(l.dir), "skep-lab-", "f")
	l.cell(name, "")
	files := map[string]string{}
	for _, form := range []string{"jail.conf", "devfs.rules", "rc.conf", "bhyve"} {
		r := l.skep("plan", "--as", form, name)
		if r.code != 0 {
			t.Fatal(r)
		}
		files[form] = l.write(form, r.out)
	}
	jail, root := "skep-"+name, l.path("run/cells/"+name+"/root")
	number := regexp.MustCompile(`=(\d+)\]`).FindStringSubmatch(read(t, files["devfs.rules"]))[1]
	t.Cleanup(func() {
		_, _ = host(t, nil, "bhyvectl", "--vm="+name, "--destroy")
		host(t, nil, "jail", "-r", jail)
		unmount(t, filepath.Join(root, "dev"))
		unmount(t, root)
		host(t, nil, "rctl", "-r", "jail:"+jail)
		must(t, "devfs", "rule", "-s", number, "delset")
	})

	// A rule set that is not loaded would hide nothing: no jail is made.
	if out, code := host(t, nil, "jail", "-f", files["jail.conf"], "-c", jail); code == 0 {
		t.Fatalf("a jail without rules: %s", out)
	}
	must(t, "sh", "-c", ". /etc/rc.subr; devfs_rulesets_from_file "+files["devfs.rules"])
	must(t, "jail", "-f", files["jail.conf"], "-c", jail)
	if out, code := host(t, nil, "touch", filepath.Join(root, "x")); code == 0 {
		t.Errorf("the root can be written to %s", out)
	}
	if r := l.skep("devfs-check", jail); r.code != 0 {
		t.Error(r)
	}

	bhyve := exec.Command("sh", files["bhyve"])
	errs := &transcript{}
	bhyve.Stdout, bhyve.Stderr = errs, errs
	bhyve.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := bhyve.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- bhyve.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(-bhyve.Process.Pid, syscall.SIGKILL) })
	until(t, "bhyve opens its console", func() bool {
		// Never stat: to ask for a null modem by its name makes it, and whoever
		// makes it owns it.
		return slices.Contains(strings.Fields(must(t, "ls", filepath.Join(root, "dev"))), "nmdm-"+name+"A")
	})
	// It sees what the plan says, and nothing else.
	own := []string{"devfs-check", jail, "--own", "vmm/" + name, "--own", "vmm.io/" + name + ".bootrom", "--own", "nmdm-" + name + "A"}
	r := l.skep(own...)
	shown := strings.Count(read(t, files["devfs.rules"]), " unhide\n")
	if r.code != 0 || !strings.Contains(r.out, fmt.Sprintf(" %d nodes visible, 0 dangerous", shown)) {
		t.Error(r)
	}
	until(t, "the VM obeys", func() bool {
		_, code := host(t, nil, "bhyvectl", "--vm="+name, "--force-poweroff")
		return code == 0
	})
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("bhyve's script: %v\n%s", err, errs)
		}
	case <-time.After(limit):
		t.Fatalf("bhyve does not end\n%s", errs)
	}

	must(t, "jail", "-f", files["jail.conf"], "-r", jail)
	if left := must(t, "mount", "-p"); strings.Contains(left, root) {
		t.Errorf("mounts are left:\n%s", left)
	}
	if left := must(t, "jls", "name"); strings.Contains(left, jail) {
		t.Errorf("the jail is left:\n%s", left)
	}
	if left, _ := host(t, nil, "rctl"); strings.Contains(left, jail) {
		t.Errorf("limits are left:\n%s", left)
	}
	if _, err := os.Lstat("/dev/vmm/" + name); err == nil {
		t.Error("the VM is left")
	}
	// rc.conf(5) is sh(1), and adds to what is there.
	out := must(t, "sh", "-ec", "kld_list=other; . "+files["rc.conf"]+"; echo $kld_list")
	if !strings.HasPrefix(out, "other vmm nmdm") {
		t.Error(out)
	}
}
