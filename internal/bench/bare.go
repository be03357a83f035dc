package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"skep/guest/hello"
)

// program is a command whose standard output is the guest's console and whose standard input is
// typed into it.
type program struct {
	path string
	args []string
	env  []string // beside the environment
}

// greeting starts the program, measures until the first byte of the greeting is there, and powers
// the guest off.
func (p *program) greeting(ctx context.Context) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, p.path, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
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
	took, err := firstByte(out, begin)
	_, _ = io.WriteString(in, string(hello.PowerOff))
	_, _ = io.Copy(io.Discard, out)
	werr := cmd.Wait()
	if err = errors.Join(err, werr); err != nil {
		return 0, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return took, nil
}

// firstByte measures until the greeting's first byte and sees to it that it is the greeting.
func firstByte(r io.Reader, begin time.Time) (time.Duration, error) {
	in := bufio.NewReaderSize(r, len(hello.Greeting))
	if _, err := in.Peek(1); err != nil {
		return 0, fmt.Errorf("no greeting: %w", err)
	}
	took := time.Since(begin)
	first, err := in.Peek(len(hello.Greeting))
	if err != nil || string(first) != hello.Greeting {
		return 0, fmt.Errorf("the guest said %q: %w", first, err)
	}
	return took, nil
}

// bare are two QEMUs for the same guest, without a jail, a QMP socket or a log, the ROM by its name and the
// console on the standard streams: one with the cell's own board, by the plan's command line, and one as a
// person types it, with the board's usual devices.
func (b *bencher) bare(file, accel string) (same, typed *program, err error) {
	cmd := exec.Command(b.skep, "plan", "--json", file)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("skep plan: %w", err)
	}
	var plan struct {
		Resources []struct {
			ID   string
			Spec struct {
				Path string
				Argv []string
			}
		}
	}
	if err := json.Unmarshal(text, &plan); err != nil {
		return nil, nil, err
	}
	rom := filepath.Join(b.dir, "hello.rom")
	if err := os.WriteFile(rom, hello.ROM(), 0o600); err != nil {
		return nil, nil, err
	}
	for _, r := range plan.Resources {
		if r.ID == "hypervisor" {
			return &program{path: r.Spec.Path, args: plain(r.Spec.Argv[1:], rom)},
				&program{path: r.Spec.Path, args: []string{"-machine", "q35", "-accel", accel, "-m", "64M",
					"-drive", "if=pflash,format=raw,readonly=on,file=" + rom, "-display", "none", "-serial", "stdio", "-monitor", "none"}}, nil
		}
	}
	return nil, nil, errors.New("the plan has no hypervisor")
}

// plain leaves out of a command line what is there for skep.
func plain(argv []string, rom string) []string {
	drop := map[string]bool{"-chardev": true, "-mon": true, "-add-fd": true, "-serial": true, "-name": true, "-action": true, "-d": true}
	var out []string
	for i := 0; i < len(argv); i++ {
		switch arg := argv[i]; {
		case arg == "-S":
		case drop[arg]:
			i++
		case strings.HasPrefix(arg, "driver=file,node-name=flash0"):
			out = append(out, "driver=file,node-name=flash0,read-only=on,filename="+rom)
		default:
			out = append(out, arg)
		}
	}
	return append(out, "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console")
}
