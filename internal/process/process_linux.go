package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// BootID identifies this boot of the kernel: random(4).
func BootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// Lives says whether the process still is the one that started then.
func Lives(pid int, start uint64) bool {
	state, now, err := stat(pid)
	return err == nil && now == start && !dead(state)
}

// StartTime is field 22 of /proc/PID/stat, which tells a process from a later one of its number.
func StartTime(pid int) (uint64, error) {
	_, start, err := stat(pid)
	return start, err
}

func gone(pid int) bool {
	state, _, err := stat(pid)
	return err != nil || dead(state)
}

func dead(state byte) bool { return state == 'Z' || state == 'X' }

func stat(pid int) (state byte, start uint64, err error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(line)
}

// StartTimeAt is StartTime by an open /proc, for a thread whose paths lead nowhere.
func StartTimeAt(proc, pid int) (uint64, error) {
	line, err := readAt(proc, strconv.Itoa(pid)+"/stat")
	if err != nil {
		return 0, err
	}
	_, start, err := parseStat(line)
	return start, err
}

// ErrForeignProc: /proc was mounted for another PID namespace. Its numbers name other processes
// there, or none.
var ErrForeignProc = errors.New("/proc is that of another PID namespace")

// OwnProc says whether an open /proc is that of this process's PID namespace: it is the one in which the
// process has a single number, since it has one in each namespace from that of the mount down.
func OwnProc(proc int) error {
	status, err := readAt(proc, "self/status")
	if errors.Is(err, syscall.ENOENT) {
		return ErrForeignProc // there is no number for us in it
	}
	if err != nil {
		return err
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok && len(bytes.Fields(rest)) != 1 {
			return ErrForeignProc
		}
	}
	return nil
}

// readAt reads a small file below an open directory.
func readAt(dir int, path string) ([]byte, error) {
	fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc/%s: %w", path, err)
	}
	defer unix.Close(fd)
	b := make([]byte, 4096)
	n, err := unix.Read(fd, b)
	if err != nil {
		return nil, fmt.Errorf("read /proc/%s: %w", path, err)
	}
	return b[:n], nil
}

// parseStat reads fields 3 and 22 of proc_pid_stat(5). The name in field 2 may hold anything, so
// counting starts behind its closing parenthesis.
func parseStat(line []byte) (state byte, start uint64, err error) {
	i := bytes.LastIndexByte(line, ')')
	fields := bytes.Fields(line[i+1:])
	if i < 0 || len(fields) < 20 {
		return 0, 0, syscall.EPROTO
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return fields[0][0], start, err
}
