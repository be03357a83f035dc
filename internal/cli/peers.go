package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"skep/internal/cell"
	"skep/internal/fault"
)

// peerAliases are the verbs of other managers that mean the same as one of
// skep's. They are in no list of verbs and do what that verb does.
//
// What means something else in any of docker(1), virsh(1) and vm(8) is not
// here: virsh destroy pulls the plug, vm destroy removes the disks.
var peerAliases = map[string][]string{
	"up":      {"start"},
	"down":    {"stop", "shutdown"},
	"ps":      {"ls", "list", "status", "domstate"},
	"show":    {"inspect", "info", "dominfo"},
	"log":     {"logs"},
	"console": {"attach"},
	"pause":   {"suspend"},
	"resume":  {"unpause"},
	"rm":      {"remove"},
	"new":     {"create"},
	"edit":    {"configure"},
	"check":   {"validate"},
}

// peerHints are the verbs of other managers that skep has under another name,
// in another way, or not at all, and what to do instead.
var peerHints = map[string]string{
	"destroy":      "skep kill NAME ends a guest at once (virsh destroy); skep rm NAME forgets a cell (vm destroy)",
	"delete":       "skep rm NAME forgets a cell; its disks are removed only with --disks",
	"undefine":     "skep rm NAME forgets a cell; remove its file to be rid of the definition",
	"define":       "write cells/NAME.hcl in the configuration directory (skep new NAME); skep check NAME looks at it",
	"poweroff":     "skep down NAME presses the power button; skep kill NAME ends the guest at once",
	"reboot":       "skep restart NAME stops the guest and starts it again",
	"reset":        "skep restart --force NAME ends the guest at once and starts it again",
	"exec":         "skep runs nothing inside a guest; skep console NAME joins its serial console",
	"shell":        "skep runs nothing inside a guest; skep console NAME joins its serial console",
	"ssh":          "skep runs nothing inside a guest; skep console NAME joins its serial console",
	"top":          "skep show NAME has the state and the process; the usage of a cell is not reported",
	"rollback":     "skep revert NAME TAG goes back to a snapshot",
	"save":         "skep snapshot NAME TAG keeps what a guest is",
	"restore":      "skep revert NAME TAG goes back to a snapshot",
	"migrate":      "skep moves no guests between hosts; stop the cell and copy its file and its disks",
	"wait":         "skep run NAME stays until the guest ends; skep log -f NAME until the cell does",
	"port":         "skep show NAME has where the screen listens; a guest's own ports are on its bridge",
	"vncdisplay":   "skep show NAME has where the screen listens",
	"autostart":    "write start = \"boot\" in the cell's file; skep up --boot starts those",
	"enable":       "write start = \"boot\" in the cell's file; skep up --boot starts those",
	"pull":         "skep downloads nothing; skep image import takes a disk image that is here",
	"build":        "skep builds no images; name a disk image in a disk block of the cell's file",
	"images":       "skep image ls lists the images",
	"install":      "name the installer as iso in a disk block of the cell's file, then skep run NAME",
	"network":      "skep makes no networks; name a bridge in a nic block, and create = true in a bridge block makes one",
	"switch":       "skep makes no networks; name a bridge in a nic block, and create = true in a bridge block makes one",
	"startall":     "skep up --all starts every cell, skep up --boot those that start with the host",
	"stopall":      "skep down --all stops every cell that runs",
	"dumpxml":      "skep show --json NAME has all that a cell holds; its file is the definition",
	"set":          "skep edit NAME; then skep restart NAME",
	"get":          "skep show NAME has all that a cell holds",
	"iso":          "name an ISO image as iso in a disk block of the cell's file",
	"datastore":    "skep keeps no images; name a disk image in a disk block of the cell's file",
	"nodeinfo":     "skep doctor says what this host has",
	"domifaddr":    "skep does not know a guest's addresses; skep show NAME has its network cards",
	"capabilities": "skep doctor says what this host has",
	"init":         "nothing needs preparing; skep doctor says what this host has, skep new NAME writes a cell file",
}

// addPeerAliases gives each verb its other names.
func addPeerAliases(root *cobra.Command) {
	for _, c := range root.Commands() {
		c.Aliases = append(c.Aliases, peerAliases[c.Name()]...)
	}
}

// unknownCommand is the error for a verb that skep has not got: what it is
// called here, or what was probably meant.
func unknownCommand(root *cobra.Command, word string) error {
	hint := peerHints[strings.ToLower(word)]
	if hint == "" {
		hint = "skep help shows what there is"
		if near := nearestVerb(root, word); near != "" {
			hint = fmt.Sprintf("did you mean skep %s?", near)
		}
	}
	return fault.Fail(fault.Input, hint, "unknown command %q", word)
}

// peerFlags are flags of other managers' verbs, and what to do instead, by the
// verb as skep calls it.
var peerFlags = map[string]map[string]string{
	"run": {
		"d": "skep up NAME starts a cell in the background", "detach": "skep up NAME starts a cell in the background",
		"i": "skep run has the console on the terminal as it is", "t": "skep run has the console on the terminal as it is",
		"interactive": "skep run has the console on the terminal as it is", "tty": "skep run has the console on the terminal as it is",
		"m": "write memory in the cell's file", "memory": "write memory in the cell's file",
		"v": "name a disk in the cell's file", "volume": "name a disk in the cell's file",
		"p": "a guest has ports of its own; name a bridge in a nic block", "publish": "a guest has ports of its own; name a bridge in a nic block",
	},
	"up": {
		"a": "skep run NAME has the console on the terminal", "attach": "skep run NAME has the console on the terminal",
		"console": "skep run NAME has the console on the terminal", "i": "skep run NAME has the console on the terminal",
	},
	"down": {
		"t": "write stop_timeout in the cell's file", "time": "write stop_timeout in the cell's file", "timeout": "write stop_timeout in the cell's file",
	},
	"kill": {
		"s": "skep down NAME presses the power button; a guest takes no signals", "signal": "skep down NAME presses the power button; a guest takes no signals",
	},
	"rm": {
		"f": "skep kill NAME ends a guest that runs; then skep rm NAME", "force": "skep kill NAME ends a guest that runs; then skep rm NAME",
		"v": "skep rm --disks NAME removes the disks too", "volumes": "skep rm --disks NAME removes the disks too",
	},
	"log": {
		"t": "only starts have times, and always", "timestamps": "only starts have times, and always",
	},
	"new": {
		"s": "skep new --disk 20G NAME", "size": "skep new --disk 20G NAME", "m": "skep new --memory 2G NAME",
		"i": "skep new --image FILE NAME", "c": "write cpus in the cell's file", "cpus": "write cpus in the cell's file",
	},
}

// peerFlagHint is what to do in place of a flag that a verb has elsewhere, or "".
func peerFlagHint(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	return peerFlags[cmd.Name()][unknown.GetSpecifiedName()]
}

// nearestVerb is the verb, or the other name of one, that is closest to a
// word, as skep calls it; "" where nothing is close.
func nearestVerb(root *cobra.Command, word string) string {
	called := map[string]string{}
	var words []string
	for _, c := range root.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		for _, name := range append([]string{c.Name()}, c.Aliases...) {
			called[name] = c.Name()
			words = append(words, name)
		}
	}
	return called[cell.Closest(word, words)]
}
