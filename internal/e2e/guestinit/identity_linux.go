package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// identity says what the machine calls itself, and what time it is there.
func identity() {
	for _, name := range []string{"bios_vendor", "sys_vendor", "product_name", "product_serial", "product_uuid", "board_vendor", "chassis_vendor"} {
		say("%s is %s", name, text("/sys/class/dmi/id/"+name))
	}
	disks, _ := filepath.Glob("/sys/block/*/serial")
	for _, path := range disks {
		say("disk %s is %s", filepath.Base(filepath.Dir(path)), text(path))
	}
	cards, _ := filepath.Glob("/sys/class/net/eth*/address")
	for _, path := range cards {
		say("card %s is %s", filepath.Base(filepath.Dir(path)), text(path))
	}
	for line := range strings.Lines(text("/proc/cpuinfo")) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			say("processor is %s", strings.TrimSpace(value))
			break
		}
	}
	say("clock is %s", time.Now().UTC().Format(time.RFC3339))
	say("identity told")
}

func text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}
