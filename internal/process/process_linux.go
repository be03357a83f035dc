package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
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

// stat reads fields 3 and 22 of proc_pid_stat(5). The name in field 2 may hold anything, so
// counting starts behind its closing parenthesis.
func stat(pid int) (state byte, start uint64, err error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	i := bytes.LastIndexByte(line, ')')
	fields := bytes.Fields(line[i+1:])
	if i < 0 || len(fields) < 20 {
		return 0, 0, syscall.EPROTO
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return fields[0][0], start, err
}
