package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The goals of templates and pools, each a ratio of figures of one interleaved run.
const (
	goalTemplate = 1.0 / 40 // of a boot
	goalLoadvm   = 0.33     // of QEMU's own loadvm
	goalSize     = 1.10     // with 2 GiB, of that with 256 MiB
	goalPool     = 0.15     // of a cold hello cell
	goalIdle     = 20.0     // MiB that an idle clone has to itself, with keeper and worker
	goalPSS      = 0.15     // of as many guests restored by loadvm
)

const (
	templateRuns   = 5
	templateClones = 8
)

// restored is a guest that is started in some way and asked once.
type restored struct {
	path string
	args []string
	ask  string // typed at once
	want string // what is waited for
	end  string // typed afterwards; without one it is killed
	prep func() error
}

// answering is one way to a guest that answers, and what it took.
type answering struct {
	name string
	once func() (time.Duration, error)
	took series
}

// templates prints how soon a guest answers that is booted, restored from a template, taken from a pool, or
// restored by a bare QEMU, and what clones have to themselves.
func (b *bencher) templates() error {
	fmt.Printf("\ntemplates and pools: until a Linux guest answers on its console, %d runs of each, interleaved, emulated (tcg)\n\n", templateRuns)
	file, err := b.guestFile()
	if err != nil {
		fmt.Println("cannot be measured here:", err)
		return nil
	}
	for _, size := range []string{"256M", "512M", "2048M"} {
		if err := b.makeTemplate(file, size); err != nil {
			fmt.Println("cannot be measured here:", err)
			return nil
		}
		defer func() { _ = exec.Command(b.skep, "template", "rm", "t"+size).Run() }()
	}
	defer func() { _ = exec.Command(b.skep, "pool", "down", "benchpool").Run() }()
	fill := func() error { return b.quietly("pool", "up", "benchpool") }
	skep := func(name, want, end string, prep func() error, ask string, args ...string) *answering {
		r := &restored{path: b.skep, args: append([]string{"run", "-q"}, args...), ask: ask, want: want, end: end, prep: prep}
		return &answering{name: name, once: r.once}
	}
	const count, answer = "count\n", "guest: count"
	kinds := []*answering{
		skep("booted in a cell, 512 MiB", "guest: ready", "off\n", nil, "", b.sized("512M")),
		skep("from a template, 256 MiB", answer, "off\n", nil, count, "--from", "t256M"),
		skep("from a template, 512 MiB", answer, "off\n", nil, count, "--from", "t512M"),
		skep("from a template, 2 GiB", answer, "off\n", nil, count, "--from", "t2048M"),
		skep("from a pool, 512 MiB", answer, "off\n", fill, count, "--pool", "benchpool"),
		skep("a cold hello cell", "skep", "q", nil, "", "hello"),
	}
	loadvm, err := b.saved(b.sized("512M"))
	if err != nil {
		fmt.Println("QEMU's loadvm: cannot be measured here:", err)
	} else {
		r := &restored{path: loadvm[0], args: loadvm[1:], ask: count, want: answer}
		kinds = append(kinds, &answering{name: "QEMU's own loadvm, 512 MiB", once: r.once})
	}
	peer, err := b.newLibvirt(b.sized("512M"))
	if err != nil {
		fmt.Println("libvirt: cannot be measured here:", err)
	} else {
		defer peer.end()
		kinds = append(kinds,
			&answering{name: "virsh start, 512 MiB", once: peer.start},
			&answering{name: "virsh snapshot-revert, 512 MiB", once: peer.revert})
	}
	for i := range templateRuns + 1 {
		for _, k := range rand.Perm(len(kinds)) {
			d, err := kinds[k].once()
			if err != nil {
				return fmt.Errorf("%s: %w", kinds[k].name, err)
			}
			if i > 0 { // the first of each fills caches
				kinds[k].took = append(kinds[k].took, d)
			}
		}
	}
	at := map[string]float64{}
	for _, k := range kinds {
		b.marked("", k.name, k.took)
		at[k.name] = k.took.at(0.5).Seconds()
		fmt.Printf("%-30s  %10s  (quarter %s, 3/4 %s)\n", k.name, ms(k.took.at(0.5)), ms(k.took.at(0.25)), ms(k.took.at(0.75)))
	}
	row := func(what, of string, goal float64) {
		switch {
		case at[of] == 0:
		case goal == 0:
			fmt.Printf("%-30s  %10.3f  of %s\n", what, at[what]/at[of], of)
		default:
			fmt.Printf("%-30s  %10.3f  of %s (goal: %.3f or less)\n", what, at[what]/at[of], of, goal)
		}
	}
	row("from a template, 512 MiB", "booted in a cell, 512 MiB", goalTemplate)
	row("from a template, 512 MiB", "QEMU's own loadvm, 512 MiB", goalLoadvm)
	row("from a template, 2 GiB", "from a template, 256 MiB", goalSize)
	row("from a pool, 512 MiB", "a cold hello cell", goalPool)
	row("booted in a cell, 512 MiB", "virsh start, 512 MiB", 0)
	row("from a template, 512 MiB", "virsh snapshot-revert, 512 MiB", 0)
	return b.clonesMemory(loadvm)
}

// once starts it, and measures until it has said what is waited for.
func (r *restored) once() (time.Duration, error) {
	if r.prep != nil {
		if err := r.prep(); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), guestQuiet)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.path, r.args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_, _ = io.WriteString(in, r.ask)
	err = until(out, r.want)
	took := time.Since(begin)
	if r.end == "" || err != nil {
		_ = cmd.Process.Kill()
	} else {
		_, _ = io.WriteString(in, r.end)
	}
	_, _ = io.Copy(io.Discard, out)
	werr := cmd.Wait()
	if err == nil && r.end != "" {
		err = werr
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return took, nil
}

// until reads as far as a text.
func until(r io.Reader, text string) error {
	var last []byte
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		last = append(last, buf[:n]...)
		if bytes.Contains(last, []byte(text)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("no %q: %w", text, err)
		}
		last = last[max(0, len(last)-1024):]
	}
}

func (b *bencher) quietly(args ...string) error {
	if out, err := exec.Command(b.skep, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("skep %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// sized is the file of the guest's cell with that memory.
func (b *bencher) sized(size string) string { return filepath.Join(b.dir, "guest-"+size+".hcl") }

func (b *bencher) makeTemplate(file, size string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	cell := strings.Replace(string(text), `"256M"`, strconv.Quote(size), 1)
	if err := os.WriteFile(b.sized(size), []byte(cell), 0o600); err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "config", "cells")
	pool := "cell \"benchpool\" {}\npool \"benchpool\" {\n  from   = \"t512M\"\n  ask    = \"count\"\n  answer = \"guest: count\"\n}\n"
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "benchpool.hcl"), []byte(pool), 0o600)); err != nil {
		return err
	}
	return b.quietly("template", "make", b.sized(size), "--when", "guest: ready", "--as", "t"+size)
}

// saved has a bare QEMU boot the same guest and save it by savevm, and returns how it is gone on with.
func (b *bencher) saved(file string) ([]string, error) {
	i, err := newInside(file)
	if err != nil {
		return nil, err
	}
	image, socket := filepath.Join(b.dir, "saved.qcow2"), filepath.Join(b.dir, "monitor")
	if out, err := exec.Command("qemu-img", "create", "-f", "qcow2", image, "128M").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("qemu-img: %w: %s", err, out)
	}
	k := i.cell.Kernel
	argv := []string{i.facts.Linux.QEMU.Path, "-machine", "q35", "-accel", "tcg", "-m", "512M", "-nodefaults", "-display", "none",
		"-kernel", k.Image, "-initrd", k.Initrd, "-append", k.Cmdline, "-serial", "stdio",
		"-drive", "file=" + image + ",format=qcow2,if=virtio"}
	ctx, cancel := context.WithTimeout(context.Background(), guestQuiet)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], "-monitor", "unix:"+socket+",server=on,wait=off")...)
	if _, err := cmd.StdinPipe(); err != nil { // it ends with its standard input
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = cmd.Process.Kill(); _, _ = io.Copy(io.Discard, out); _ = cmd.Wait() }()
	if err := until(out, "guest: ready"); err != nil {
		return nil, err
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(guestQuiet))
	if err := until(conn, "(qemu) "); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, "savevm t\ninfo version\n"); err != nil {
		return nil, err
	}
	if err := until(conn, i.facts.Linux.QEMU.Version); err != nil {
		return nil, err
	}
	return append(argv, "-monitor", "none", "-loadvm", "t"), nil
}

// clonesMemory prints what an idle clone has to itself, and what several cost beside as many that loadvm has
// restored.
func (b *bencher) clonesMemory(loadvm []string) error {
	var names []string
	for n := range templateClones {
		names = append(names, fmt.Sprintf("m@%d", n+1))
	}
	defer func() { _ = exec.Command(b.skep, append([]string{"kill"}, names...)...).Run() }()
	if err := b.quietly(append(append([]string{"up"}, names...), "--from", "t512M")...); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // what the start needed has been given back by then
	var pss, private int
	for n, name := range names {
		pids, err := b.processesOf(name)
		if err != nil {
			return err
		}
		for _, pid := range pids {
			file := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
			own, err := privateKiB(file)
			if err != nil {
				return err
			}
			if n == 0 {
				private += own
			}
			pss += fieldKiB(file, "Pss:")
		}
	}
	fmt.Printf("\n%-44s  %8.1f MiB  (goal: %.0f MiB or less)\n", "private memory of an idle 512 MiB clone", float64(private)/1024, goalIdle)
	if loadvm == nil {
		return nil
	}
	var theirs int
	for n := range templateClones {
		argv, err := b.another(loadvm, n)
		if err != nil {
			return err
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		_, _ = io.WriteString(in, "count\n")
		if err := until(out, "guest: count"); err != nil {
			return err
		}
		theirs += fieldKiB(fmt.Sprintf("/proc/%d/smaps_rollup", cmd.Process.Pid), "Pss:")
	}
	fmt.Printf("%-44s  %8.2f      (goal: %.2f or less)\n", fmt.Sprintf("%d clones, PSS with keepers, of loadvm's", templateClones), float64(pss)/float64(theirs), goalPSS)
	return nil
}

// another is the same command line with an image of its own: QEMU locks it.
func (b *bencher) another(argv []string, n int) (own []string, err error) {
	from := filepath.Join(b.dir, "saved.qcow2")
	to := filepath.Join(b.dir, fmt.Sprintf("saved-%d.qcow2", n))
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	for _, arg := range argv {
		own = append(own, strings.ReplaceAll(arg, from, to))
	}
	return own, err
}

// processesOf are a cell's hypervisor, keeper and worker.
func (b *bencher) processesOf(name string) (pids []int, err error) {
	out, err := exec.Command(b.skep, "show", name, "--json").Output()
	if err != nil {
		return nil, fmt.Errorf("skep show: %w", err)
	}
	var c struct {
		PID       int `json:"pid"`
		KeeperPID int `json:"keeper_pid"`
		Worker    *struct {
			PID int `json:"pid"`
		} `json:"worker"`
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return nil, err
	}
	pids = []int{c.PID, c.KeeperPID}
	if c.Worker != nil {
		pids = append(pids, c.Worker.PID)
	}
	return pids, nil
}

func fieldKiB(file, field string) (n int) {
	b, _ := os.ReadFile(filepath.Clean(file))
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			_, _ = fmt.Sscanf(rest, "%d kB", &n)
		}
	}
	return n
}
