package main

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// load loads the modules below /modules in the order that the file there has.
func load() {
	f, err := os.Open("/modules/order")
	if err != nil {
		return // a kernel with everything built in
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		m, err := os.Open(filepath.Join("/modules", s.Text()))
		if err != nil {
			say("cannot open module %s: %v", s.Text(), err)
			continue
		}
		if err := unix.FinitModule(int(m.Fd()), "", 0); err != nil && err != unix.EEXIST {
			say("cannot load module %s: %v", s.Text(), err)
		}
		m.Close()
	}
}

// powerButton powers off when the key of that name is pressed on an input
// device called so; linux/input.h.
func powerButton() {
	const (
		evKey    = 1
		keyPower = 116
		size     = 24 // struct input_event on 64-bit systems
	)
	names, _ := filepath.Glob("/sys/class/input/event*/device/name")
	for _, n := range names {
		b, _ := os.ReadFile(n)
		if !strings.Contains(string(b), "Power Button") {
			continue
		}
		dev := "/dev/input/" + strings.Split(n, "/")[4]
		f, err := os.Open(dev)
		if err != nil {
			say("cannot open %s: %v", dev, err)
			continue
		}
		go func() {
			e := make([]byte, size)
			for {
				if _, err := f.Read(e); err != nil {
					say("cannot read %s: %v", dev, err)
					return
				}
				if binary.LittleEndian.Uint16(e[16:]) == evKey && binary.LittleEndian.Uint16(e[18:]) == keyPower && binary.LittleEndian.Uint32(e[20:]) == 1 {
					say("power button")
					powerOff()
				}
			}
		}()
	}
}
