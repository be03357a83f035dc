package e2e

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// person is another user of this host, with a home and groups.
type person struct {
	l      *lab
	uid    int
	groups []uint32
	home   string
}

// person makes one. The number is nobody's.
func (l *lab) person(uid int, groups ...uint32) person {
	l.t.Helper()
	p := person{l, uid, groups, l.path("home-" + strconv.Itoa(uid))}
	l.try(os.MkdirAll(p.home, 0o700))
	l.try(os.Chown(p.home, uid, uid))
	l.try(os.Chmod(l.dir, 0o711)) // as /run is for others; the run directory in it stays closed
	return p
}

// skep is skep as that user, who knows root's run directory by its place alone.
func (p person) skep(stdin string, args ...string) result {
	p.l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, skep, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "SKEP_RUN_DIR=" + p.l.path("run")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.uid), Groups: p.groups}}
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return result{code(p.l.t, err), out.String(), errs.String()}
}
