// Command peers is `make drill-peers`: the attempts of skep drill, made in a cell of the built-in guest
// and in other sandboxes, side by side. It is root's, and does all of it in a throwaway host: mounts, a
// network, a name and shared memory of its own, bait for files and processes.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"skep/internal/cell"
	"skep/internal/drill"
	"skep/internal/drill/report"
	"skep/internal/host"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/worker"
)

// apart is the first argument of the process in the throwaway host.
const apart = "apart"

func main() {
	worker.ServeIfAsked()
	asProgram := flag.Bool("json", false, "for programs")
	summary := flag.Bool("summary", false, "the table of docs/security.md")
	only := flag.String("subjects", "", "those alone, of plain-user, bwrap, firejail, runc and nspawn")
	flag.Parse()
	run := func() error { return compare(*asProgram, *summary, strings.Fields(*only)) }
	if flag.Arg(0) == apart {
		run = inside
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "drill-peers:", err)
		os.Exit(1)
	}
}

// compare starts the throwaway host and prints what it found.
func compare(asProgram, summary bool, only []string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot compare: only root can make a throwaway host to be attacked")
	}
	dir, err := os.MkdirTemp("/var/lib", "skep-peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, append([]string{apart}, only...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+baitIn())
	for name, sub := range map[string]string{host.EnvConfigDir: "config", host.EnvStateDir: "state", host.EnvRunDir: "run"} {
		cmd.Env = append(cmd.Env, name+"="+filepath.Join(dir, sub))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := drill.Apart(cmd); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for range stop {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	if err := cmd.Wait(); err != nil {
		return err
	}
	if asProgram {
		_, err = os.Stdout.Write(out.Bytes())
		return err
	}
	var c report.Comparison
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		return err
	}
	if summary {
		_, err = fmt.Print(c.Summary())
		return err
	}
	return c.WriteText(os.Stdout)
}

// baitIn is where the bait lies: not where some subjects have a directory of their own (/tmp, /var/tmp)
// or let no program run (/var), as that would be luck and not a refusal.
func baitIn() string {
	for _, dir := range []string{"/opt", "/srv"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return "/var/lib"
}

// inside is the throwaway host.
func inside() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	if err := drill.Furnish(); err != nil {
		return err
	}
	if err := drill.FurnishPeers(); err != nil {
		return err
	}
	facts, err := probe.Probe(ctx, probe.Options{})
	if err != nil {
		return err
	}
	c := cell.Hello()
	if err := host.Ready(c, facts); err != nil {
		return err
	}
	st, err := store.Open(facts.Dirs)
	if err != nil {
		return err
	}
	result, err := drill.Peers(ctx, drill.Config{Cell: c, Facts: facts, Store: st,
		Progress: func(r report.Row) { fmt.Fprintln(os.Stderr, "drill-peers: attacking", r.ID) }}, flag.Args()[1:]...)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
