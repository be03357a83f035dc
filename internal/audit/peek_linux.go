package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"skep/internal/jail/linuxjail"
)

// Peek is the hidden verb of skep that prints a Private.
const Peek = "peek"

// Private is what the kernel shows of a process to nobody but its own user and
// those who have rights over it: proc_pid_environ(5), proc_pid_fd(5).
type Private struct {
	Environ int          `json:"environ"` // bytes; -1 where it cannot be read
	Persona string       `json:"persona"`
	FDs     []Descriptor `json:"fds"`
}

// ReadPrivate reads it of a process, as far as the caller may.
func ReadPrivate(pid int) Private {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	p := Private{FDs: readFDs(dir), Persona: readLine(dir + "/personality")}
	b, err := os.ReadFile(dir + "/environ")
	if p.Environ = len(b); err != nil {
		p.Environ = -1
	}
	return p
}

// private is ReadPrivate, from inside the process's user namespace where that
// is the caller's and the process has another number. Where neither way leads
// to it, its rows say unknown.
func private(pid int) Private {
	p := ReadPrivate(pid)
	if p.Environ >= 0 || os.Geteuid() == 0 {
		return p
	}
	b, err := linuxjail.Inside(pid, "skep", Peek, fmt.Sprint(pid))
	var inside Private
	if err != nil || json.Unmarshal(b, &inside) != nil {
		return p
	}
	return inside
}
