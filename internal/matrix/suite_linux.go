package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// runSuite runs the tests in one userland. An error means that the matrix itself does not work; a
// userland that cannot be made is a result.
func runSuite(o options, suite string) (result, error) {
	r := result{Release: suite}
	tarball, err := userland(o, suite)
	if err != nil {
		r.Skipped = err.Error()
		fmt.Printf("%s: skipped: %s\n", suite, r.Skipped)
		return r, r.keep(o)
	}
	root, err := os.MkdirTemp(os.Getenv("TMPDIR"), "skep-matrix-"+suite+"-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(root)
	if err := unpack(tarball, root); err != nil {
		return r, err
	}
	h, err := newHost()
	if err != nil {
		return r, err
	}
	r.QEMU = firstLine(h.output(root, "qemu-system-x86_64", "--version"))
	r.QEMU = strings.TrimPrefix(strings.SplitN(r.QEMU, " (", 2)[0], "QEMU emulator version ")
	r.Libc = lastWord(firstLine(h.output(root, "ldd", "--version")))
	fmt.Printf("%s: QEMU %s, glibc %s\n", suite, r.QEMU, r.Libc)
	args := append([]string{h.goTool, "test", "-json", "-count=1", "-timeout", "40m", "-run", o.run}, o.packages...)
	if err := h.test(&r, o, root, args); err != nil {
		return r, err
	}
	return r, r.keep(o)
}

// userland is the tar file of a release, made if it is not there.
func userland(o options, suite string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "scripts/userland", suite, o.cache)
	// All of it ends, debootstrap too, and the script tidies up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(os.Stderr, &errs)
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("the userland is not there, and the mirror took longer than %s", o.patience)
	case err != nil:
		return "", fmt.Errorf("the userland is not there and cannot be made: %s", lastLine(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

func unpack(tarball, root string) error {
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	out, err := exec.Command("tar", "-C", root, "--numeric-owner", "-xzpf", tarball).CombinedOutput()
	if err != nil {
		return fmt.Errorf("unpack %s: %w: %s", tarball, err, out)
	}
	return nil
}

// A host is what of this machine is seen in a userland: the sources, and Go with its caches, which
// is static and runs anywhere.
type host struct {
	goTool string
	binds  []string
	env    []string
}

func newHost() (*host, error) {
	out, err := exec.Command("go", "env", "-json", "GOROOT", "GOMODCACHE", "GOCACHE", "GOPATH").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	v := map[string]string{}
	if err := json.Unmarshal(out, &v); err != nil {
		return nil, err
	}
	top, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	h := &host{goTool: filepath.Join(v["GOROOT"], "bin/go"), binds: []string{top, v["GOROOT"], v["GOMODCACHE"], v["GOCACHE"]}}
	h.env = []string{
		"TMPDIR=/var/tmp", // what is written to a disk on a tmpfs, as /tmp is one, counts as the memory of its cell
		"PATH=" + filepath.Join(v["GOROOT"], "bin") + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
		"GOMODCACHE=" + v["GOMODCACHE"], "GOCACHE=" + v["GOCACHE"], "GOPATH=" + v["GOPATH"],
		"GOFLAGS=-buildvcs=false", "GOPROXY=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "SKEP_MATRIX=1",
	}
	if cache := os.Getenv("SKEP_TEST_CACHE"); cache != "" {
		h.binds = append(h.binds, cache)
		h.env = append(h.env, "SKEP_TEST_CACHE="+cache)
	} else {
		h.env = append(h.env, "SKEP_TEST_CACHE="+filepath.Join(top, "build/cache"))
	}
	return h, nil
}

func (h *host) output(root string, argv ...string) string {
	out, _ := enter(root, h.binds, h.env, argv...).Output()
	return string(out)
}

// test runs go test in the userland, in this directory, and takes down what came of each test.
func (h *host) test(r *result, o options, root string, argv []string) error {
	top, err := os.Getwd()
	if err != nil {
		return err
	}
	shell := append([]string{"sh", "-c", `cd "$0" && exec "$@"`, top}, argv...)
	cmd := enter(root, h.binds, h.env, shell...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("enter %s: %w", r.Release, err)
	}
	r.read(out, o.verbose)
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	if len(r.Tests) == 0 {
		return fmt.Errorf("%s: no test has run", r.Release)
	}
	return nil
}
