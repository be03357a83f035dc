package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"skep/internal/e2e/guestkernel"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/provision"
	"skep/internal/unixsock"
)

const (
	guestRuns  = 5
	guestMiB   = 128 // moved each way
	guestPumps = 5   // times in each life
	goalGuest  = 0.98
	guestQuiet = 3 * time.Minute // the most that is waited for a line
)

// A lap is what one life of the guest took.
type lap struct {
	boot        time.Duration
	write, read series
}

// guests prints whether a guest works as fast in a cell as with a bare QEMU: the same kernel, disk,
// command line and descriptors, once in a jail and once started by us.
func (b *bencher) guests() error {
	fmt.Printf("\nthe work of a Linux guest, %d runs of each, interleaved, emulated (tcg): %d times %d MiB written to a disk and read\n\n", guestRuns, guestPumps, guestMiB)
	g, err := b.guestFile()
	if err != nil {
		fmt.Println("cannot be measured here:", err)
		return nil
	}
	inside, err := newInside(g)
	if err != nil {
		fmt.Println("cannot be measured here:", err)
		return nil
	}
	kinds := []struct {
		name string
		once func(context.Context) (lap, error)
		laps []lap
	}{
		{name: "QEMU bare", once: inside.bareGuest},
		{name: "in a cell", once: inside.guest},
	}
	for i := range guestRuns {
		for k := range kinds {
			k := (k + i) % len(kinds) // neither is always the first
			ctx, cancel := context.WithTimeout(context.Background(), 4*guestQuiet)
			l, err := kinds[k].once(ctx)
			cancel()
			if err != nil {
				return fmt.Errorf("%s: %w", kinds[k].name, err)
			}
			kinds[k].laps = append(kinds[k].laps, l)
		}
	}
	fmt.Printf("%-12s  %10s  %12s  %12s\n", "what", "boot", "write", "read")
	for _, k := range kinds {
		boot, write, read := middle(k.laps)
		fmt.Printf("%-12s  %10s  %12s  %12s\n", k.name, ms(boot), rate(write), rate(read))
	}
	boot, write, read := middle(kinds[0].laps)
	ourBoot, ourWrite, ourRead := middle(kinds[1].laps)
	part := func(a, b time.Duration) float64 { return float64(a) / float64(b) }
	fmt.Printf("%-12s  %10.2f  %12.2f  %12.2f  (goal: %.2f or more)\n", "speed, of bare", part(boot, ourBoot), part(write, ourWrite), part(read, ourRead), goalGuest)
	return nil
}

// middle is the median of each.
func middle(laps []lap) (boot, write, read time.Duration) {
	var b, w, r series
	for _, l := range laps {
		b, w, r = append(b, l.boot), append(w, l.write...), append(r, l.read...)
	}
	return b.at(0.5), w.at(0.5), r.at(0.5)
}

func rate(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f MiB/s", guestMiB/d.Seconds())
}

// guestFile writes the cell of the guest, with a kernel that is there or that can be fetched.
func (b *bencher) guestFile() (string, error) {
	// Where make test keeps one.
	if cache := filepath.Join("build", "cache"); os.Getenv(guestkernel.EnvCache) == "" {
		if _, err := os.Stat(cache); err == nil {
			if err := os.Setenv(guestkernel.EnvCache, cache); err != nil {
				return "", err
			}
		}
	}
	init := filepath.Join(b.dir, "init")
	cmd := exec.Command("go", "build", "-o", init, guestkernel.Init)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the guest's /init: %w: %s", err, out)
	}
	g, err := guestkernel.Prepare(b.dir, init)
	if err != nil {
		return "", fmt.Errorf("there is no kernel: %w", err)
	}
	image, err := filepath.Abs(g.Image)
	if err != nil {
		return "", err
	}
	// Its blocks are allocated beforehand: the first to write would pay for both.
	disk := filepath.Join(b.dir, "guest.img")
	if err := os.WriteFile(disk, make([]byte, guestMiB<<20), 0o600); err != nil {
		return "", err
	}
	file := filepath.Join(b.dir, "guest.hcl")
	text := fmt.Sprintf("cell \"guest\" {\n  memory = \"256M\"\n  accel = \"tcg\"\n  disk \"d\" { file = %q }\n  kernel {\n    image = %q\n    initrd = %q\n    cmdline = \"console=ttyS0 quiet panic=-1\"\n  }\n}\n", disk, image, g.Initrd)
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// guest is one life in a cell.
func (i *inside) guest(ctx context.Context) (l lap, err error) {
	done := make(chan error, 1)
	var begin time.Time
	k := keeper.New(keeper.Config{Cell: i.cell, Facts: i.facts, Store: i.store, Foreground: true,
		Prepared: func(socket string) error {
			conn, err := unixsock.Dial(socket)
			if err == nil {
				go func() { defer conn.Close(); done <- l.drive(conn, begin) }()
			}
			return err
		}})
	begin = time.Now()
	_, err = k.Run(ctx)
	select {
	case derr := <-done:
		return l, errors.Join(err, derr)
	default:
		return l, errors.Join(err, io.ErrUnexpectedEOF)
	}
}

// bareGuest is one life with a QEMU that has all that the cell's has, but no jail around it.
func (i *inside) bareGuest(ctx context.Context) (l lap, err error) {
	k := keeper.New(keeper.Config{Cell: i.cell, Facts: i.facts, Store: i.store, Foreground: true})
	err = k.DryRun(ctx, func(*plan.Plan) {}, func(ctx context.Context, s provision.Fixture) error {
		console, ok := s.Plan.Find("socket:console")
		if !ok {
			return errors.New("the plan has no console")
		}
		argv := alone(s.Spec.Argv)
		for n, arg := range argv { // the kernel has another name outside the rootfs
			for _, c := range s.Spec.Root.Copies {
				if arg == string(c.Inside) {
					argv[n] = c.From.Name()
				}
			}
		}
		cmd := exec.CommandContext(ctx, i.facts.Linux.QEMU.Path, argv[1:]...)
		var said strings.Builder
		cmd.Stderr = &said
		for _, fd := range s.Spec.FDs {
			cmd.ExtraFiles = append(cmd.ExtraFiles, fd.File)
		}
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			return err
		}
		conn, err := unixsock.Dial(console.Spec.(*plan.Socket).Path)
		if err == nil {
			err = l.drive(conn, begin)
			conn.Close()
		}
		if err != nil {
			_ = cmd.Process.Kill()
		}
		if werr := cmd.Wait(); err == nil && werr != nil {
			err = fmt.Errorf("%w: %s", werr, said.String())
		}
		return err
	})
	return l, err
}

// alone is a command line of a QEMU that nobody speaks with: it begins at once and ends with its guest.
func alone(argv []string) (out []string) {
	for i := 0; i < len(argv); i++ {
		switch argv[i] {
		case "-S":
		case "-action":
			i++
		default:
			out = append(out, argv[i])
		}
	}
	return out
}

// drive takes the guest through its work by its console.
func (l *lap) drive(conn net.Conn, begin time.Time) error {
	lines := bufio.NewReader(conn)
	wait := func(text string) (time.Time, error) {
		for {
			_ = conn.SetReadDeadline(time.Now().Add(guestQuiet))
			line, err := lines.ReadString('\n')
			if err != nil {
				return time.Time{}, fmt.Errorf("no %q from the guest: %w", text, err)
			}
			if strings.Contains(line, "failed") || strings.Contains(line, "cannot") {
				return time.Time{}, fmt.Errorf("the guest says %q", line)
			}
			if strings.Contains(line, "guest: "+text) {
				return time.Now(), nil
			}
		}
	}
	at, err := wait("ready")
	if err != nil {
		return err
	}
	l.boot = at.Sub(begin)
	for range guestPumps {
		if _, err := fmt.Fprintf(conn, "pump %d\n", guestMiB); err != nil {
			return err
		}
		var marks [3]time.Time
		for i, text := range []string{"pump begins", "pumped out", "pumped in"} {
			if marks[i], err = wait(text); err != nil {
				return err
			}
		}
		l.write, l.read = append(l.write, marks[1].Sub(marks[0])), append(l.read, marks[2].Sub(marks[1]))
	}
	_, err = io.WriteString(conn, "off\n")
	_, _ = io.Copy(io.Discard, lines)
	return err
}
