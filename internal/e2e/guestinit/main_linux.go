// Command guestinit is /init of the Linux guest in the tests: it loads the
// drivers it was given, says what machine it is on, and then does what it is
// told on the console, one line each. It powers off when the ACPI power button
// is pressed, as a real system does.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	for _, m := range []struct{ what, where string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		_ = os.MkdirAll(m.where, 0o755)
		if err := unix.Mount(m.what, m.where, m.what, 0, ""); err != nil && err != unix.EBUSY {
			say("cannot mount %s: %v", m.what, err)
		}
	}
	load()
	go powerButton()
	report()
	in := bufio.NewScanner(os.Stdin)
	say("ready")
	for in.Scan() {
		verb, rest, _ := strings.Cut(strings.TrimSpace(in.Text()), " ")
		switch verb {
		case "":
		case "write":
			done("write", write(rest))
		case "read":
			done("read", read())
		case "discard":
			done("discard", discard(rest))
		case "pump":
			done("pump", pump(rest))
		case "settle":
			done("settle", settle())
		case "run":
			done("run", run(rest))
		case "crowd":
			done("crowd", crowd())
		case "ask":
			done("ask", ask(rest))
		case "lease":
			done("lease", lease())
		case "address":
			done("address", address(rest))
		case "listen":
			done("listen", listen(rest))
		case "lookup":
			done("lookup", lookup(rest))
		case "fetch":
			done("fetch", fetch(rest))
		case "knock":
			done("knock", knock(rest))
		case "mail":
			done("mail", mail(rest))
		case "mount":
			done("mount", mount(rest))
		case "unmount":
			done("unmount", unmount(rest))
		case "tree":
			done("tree", tree(rest))
		case "put":
			done("put", put(rest))
		case "link":
			done("link", link(rest))
		case "node":
			done("node", node(rest))
		case "copy":
			done("copy", copyTo(rest))
		case "tpm":
			done("tpm", askTPM())
		case "identity":
			identity()
		case "size":
			b, err := os.ReadFile("/sys/block/" + rest + "/size")
			done("size", err)
			say("size %s %s", rest, strings.TrimSpace(string(b)))
		case "count":
			counted++
			say("count %d", counted)
		case "random":
			b, err := os.ReadFile("/proc/sys/kernel/random/uuid")
			done("random", err)
			say("random %s", strings.TrimSpace(string(b)))
			drivers, _ := filepath.Glob("/sys/bus/*/drivers/vmgenid") // acpi's at first, platform's later
			say("vmgenid %v", len(drivers) > 0)
		case "flood":
			for {
				fmt.Println(strings.Repeat("flood ", 12))
			}
		case "panic":
			done("panic", os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0))
		case "reset":
			done("reset", unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART))
		case "off":
			powerOff()
		default:
			say("cannot %s", verb)
		}
	}
	say("the console has ended: %v", in.Err())
	select {}
}

// counted is a number that is nowhere but in the guest's memory.
var counted int

// say writes a line that a test looks for.
func say(format string, args ...any) { fmt.Printf("guest: "+format+"\n", args...) }

func done(what string, err error) {
	if err != nil {
		say("%s failed: %v", what, err)
	}
}

// report says what a guest can know of its machine.
func report() {
	var info unix.Sysinfo_t
	_ = unix.Sysinfo(&info)
	say("%d processors", runtime.NumCPU())
	say("%d MiB of memory", uint64(info.Totalram)*uint64(info.Unit)>>20)
	say("network devices: %s", strings.Join(list("/sys/class/net"), " "))
	say("disks: %s", strings.Join(list("/sys/block"), " "))
	say("PCI: %s", strings.Join(pci(), " "))
}

func list(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// pci lists vendor:device of every function on the bus.
func pci() (ids []string) {
	for _, f := range list("/sys/bus/pci/devices") {
		vendor, _ := os.ReadFile("/sys/bus/pci/devices/" + f + "/vendor")
		device, _ := os.ReadFile("/sys/bus/pci/devices/" + f + "/device")
		ids = append(ids, strings.TrimSpace(string(vendor))+":"+strings.TrimSpace(string(device)))
	}
	return ids
}

func powerOff() {
	say("powering off")
	unix.Sync()
	done("power off", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}
