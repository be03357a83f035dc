package keeper

import (
	"path/filepath"
	"strings"

	"skep/internal/console"
	"skep/internal/hypervisor"
	"skep/internal/layout"
)

// Bounds on what is kept of a cell's last moments. Its logs have the rest.
const (
	lastBytes = 16 << 10
	lastCount = 10
	lastWidth = 200
)

// lastLines are the last lines of the console and of the hypervisor. They are
// the guest's words: whoever prints them escapes them. A log that cannot be
// read has no last lines.
func lastLines(stateDir string) (guest, hyper []string) {
	if b, err := console.Tail(filepath.Join(stateDir, layout.ConsoleLog), lastBytes); err == nil {
		guest = tailLines(string(b))
	}
	if b, err := console.Tail(filepath.Join(stateDir, layout.HypervisorLog), lastBytes); err == nil {
		words := hypervisor.Stderr{} // leaves out the registers
		_, _ = words.Write(b)
		if said := words.LastWords(); said != "" {
			hyper = tailLines(strings.ReplaceAll(said, "; ", "\n"))
		}
	}
	return guest, hyper
}

// tailLines are the last lines that hold anything, each cut to a width.
func tailLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.ToValidUTF8(strings.TrimRight(line, "\r\n"), "�")
		if r := []rune(line); len(r) > lastWidth {
			line = string(r[:lastWidth]) + "…"
		}
		if strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > lastCount {
		lines = lines[len(lines)-lastCount:]
	}
	return lines
}
