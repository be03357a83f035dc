package plan

import (
	"fmt"
	"strings"
)

// kinds is the table of every kind of resource: its name and how an empty one
// is made when a plan or a journal is read back.
var kinds = map[Kind]func() Spec{
	KindDirectory:   func() Spec { return new(Directory) },
	KindSlot:        func() Spec { return new(Slot) },
	KindCgroup:      func() Spec { return new(Cgroup) },
	KindBridge:      func() Spec { return new(Bridge) },
	KindTap:         func() Spec { return new(Tap) },
	KindDisk:        func() Spec { return new(Disk) },
	KindFirmware:    func() Spec { return new(Firmware) },
	KindVars:        func() Spec { return new(Vars) },
	KindLog:         func() Spec { return new(Log) },
	KindSocket:      func() Spec { return new(Socket) },
	KindRootfs:      func() Spec { return new(Rootfs) },
	KindJail:        func() Spec { return new(Jail) },
	KindHypervisor:  func() Spec { return new(Hypervisor) },
	KindScreen:      func() Spec { return new(Screen) },
	KindRuleset:     func() Spec { return new(Ruleset) },
	KindJailRootfs:  func() Spec { return new(JailRootfs) },
	KindScratchCopy: func() Spec { return new(ScratchCopy) },
	KindMount:       func() Spec { return new(Mount) },
	KindDevMount:    func() Spec { return new(DevMount) },
	KindPrison:      func() Spec { return new(Prison) },
	KindRctl:        func() Spec { return new(Rctl) },
	KindModem:       func() Spec { return new(Modem) },
	KindVM:          func() Spec { return new(VM) },
	KindBhyve:       func() Spec { return new(Bhyve) },
	KindRelay:       func() Spec { return new(Relay) },
}

// The kinds of resources. Some exist on one system only.
const (
	KindDirectory   Kind = "directory"
	KindSlot        Kind = "slot"
	KindCgroup      Kind = "cgroup"
	KindBridge      Kind = "bridge"
	KindTap         Kind = "tap"
	KindDisk        Kind = "disk"
	KindFirmware    Kind = "firmware"
	KindVars        Kind = "vars"
	KindLog         Kind = "log"
	KindSocket      Kind = "socket"
	KindRootfs      Kind = "room"
	KindJail        Kind = "jail"
	KindHypervisor  Kind = "hypervisor"
	KindScreen      Kind = "screen"
	KindRuleset     Kind = "ruleset"
	KindJailRootfs  Kind = "tree"
	KindScratchCopy Kind = "double"
	KindMount       Kind = "mount"
	KindDevMount    Kind = "devfs"
	KindPrison      Kind = "prison"
	KindRctl        Kind = "rctl"
	KindModem       Kind = "modem"
	KindVM          Kind = "vm"
	KindBhyve       Kind = "bhyve"
	KindRelay       Kind = "relay"
)

// newSpec makes an empty spec of a kind, to be filled from JSON.
func newSpec(k Kind) (Spec, error) {
	make, ok := kinds[k]
	if !ok {
		return nil, fmt.Errorf("unknown kind of resource %q", k)
	}
	return make(), nil
}

// quote writes one word as a POSIX shell needs it.
func quote(word string) string {
	safe := word != ""
	for _, r := range word {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=/.,:@%", r) {
			safe = false
			break
		}
	}
	if safe {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// command joins words to a line that a person could type.
func command(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// writes is the command that writes a value into a kernel file.
func writes(value, file string) string {
	return "echo " + quote(value) + " > " + quote(file)
}
