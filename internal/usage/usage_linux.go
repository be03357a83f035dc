package usage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"skep/internal/process"
)

// ticks are those of a second in /proc, whatever the kernel's own: USER_HZ of proc(5).
const ticks = 100

func ofProcess(pid int) (u Use, err error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	// The name is in brackets and may hold any character.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const user, system, resident = 11, 12, 21
	if len(fields) <= resident {
		return u, errors.New(dir + "/stat is cut off")
	}
	u.CPU = float64(number(fields[user])+number(fields[system])) / ticks
	u.Memory = number(fields[resident]) * int64(os.Getpagesize())
	// Only root and the process's own user may read this.
	io, _ := os.ReadFile(filepath.Join(dir, "io"))
	for line := range strings.Lines(string(io)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "read_bytes":
			u.Read = number(value)
		case "write_bytes":
			u.Written = number(value)
		}
	}
	return u, nil
}

// Age is how long a process is there.
func Age(pid int) (time.Duration, error) {
	up, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	start, err := process.StartTime(pid)
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(up), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	return time.Duration((seconds - float64(start)/ticks) * float64(time.Second)), err
}

// ofTap is what a tap has carried: what the host sends into it, the guest receives.
func ofTap(name string) (in, out int64) {
	count := func(file string) int64 {
		b, _ := os.ReadFile(filepath.Join("/sys/class/net", filepath.Base(name), "statistics", file))
		return number(strings.TrimSpace(string(b)))
	}
	return count("tx_bytes"), count("rx_bytes")
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}
