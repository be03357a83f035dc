package cell

import (
	"fmt"
	"strings"
	"testing"
)

// TestRefused holds one mistake in each line: the body of a cell, what is said
// about it, and the hint. Nothing but that may be said.
func TestRefused(t *testing.T) {
	for _, tt := range []struct{ body, want, hint string }{
		// Numbers.
		{`cpus = 0`, `cannot use cpus 0: it is at least 1`, ``},
		{`cpus = -1`, `cannot use cpus -1: it is at least 1`, ``},
		{`cpus = 256`, `cannot use cpus 256: it is at most 255`, `without interrupt remapping that is all a virtual machine can address`},
		{`cpus = 1e30`, `cannot use cpus 1e30: it is at most 255`, `*`},
		{`cpus = 1.5`, `cannot use cpus 1.5: it is a whole number`, ``},
		{`cpus = "4"`, `cannot use cpus "4": it is a number`, `did you mean 4, without quotes?`},
		{`cpus = "four"`, `cannot use cpus "four": it is a number`, ``},
		{`cpus = true`, `cannot use cpus true: it is a number`, ``},
		{`cpus = [1]`, `cannot use cpus [1]: it takes one value and not a list`, ``},
		{`cpus = {}`, `cannot use cpus {}: it takes one value and not a set of them`, ``},
		{`cpus = null`, `cannot use cpus null: null is no value`, `leave cpus out to get its default`},
		{"screen {\nwidth = 10\n}", `cannot use width 10: it is at least 640`, ``},
		{"screen {\nheight = 9999\n}", `cannot use height 9999: it is at most 2160`, ``},
		{`restart_limit { starts = 0 }`, `cannot use starts 0: it is at least 1`, ``},

		// Units.
		{`memory = 16`, `cannot use memory 16: a size needs a unit`, `did you mean "16G"?`},
		{`memory = 512`, `cannot use memory 512: a size needs a unit`, `did you mean "512M"?`},
		{`memory = 16384`, `cannot use memory 16384: a size needs a unit`, `did you mean "16384M"?`},
		{`memory = 17179869184`, `cannot use memory 17179869184: a size needs a unit`, `did you mean "16G"?`},
		{`memory = "16"`, `cannot use memory "16": a size needs a unit`, `did you mean "16G"?`},
		{`memory = 1.5`, `cannot use memory 1.5: a size needs a unit`, ``},
		{`memory = -1`, `cannot use memory -1: a size needs a unit`, ``},
		{`memory = "1.5G"`, `cannot use memory "1.5G": a size is a whole number with a unit`, `did you mean "1536M"?`},
		{`memory = "16GB"`, `cannot use memory "16GB": the units are K, M, G and T, straight after the number`, `did you mean "16G"?`},
		{`memory = "16 gib"`, `cannot use memory "16 gib": the units are K, M, G and T, straight after the number`, `did you mean "16G"?`},
		{`memory = ""`, `cannot use memory "": a size is missing`, ``},
		{`memory = "lots"`, `cannot use memory "lots": it has no unit: one of K, M, G, T`, ``},
		{`memory = "-1G"`, `cannot use memory "-1G": it is not a whole number with a unit, such as "16G"`, ``},
		{`memory = "0M"`, `cannot use memory "0M": it is at least "1M"`, ``},
		{`memory = "1500K"`, `cannot use memory "1500K": it is a multiple of "1M"`, ``},
		{`memory = "65T"`, `cannot use memory "65T": it is at most "64T"`, ``},
		{`memory = "99999999999T"`, `cannot use memory "99999999999T": it is more than any machine holds`, ``},
		{`memory = true`, `cannot use memory true: it is text in quotes`, ``},
		{`console { log_size = "1K" }`, `cannot use log_size "1K": it is at least "4K"`, ``},
		{`console { log_size = "2G" }`, `cannot use log_size "2G": it is at most "1G"`, ``},
		{`stop_timeout = 90`, `cannot use stop_timeout 90: a time needs a unit`, `did you mean "90s"?`},
		{`stop_timeout = "90"`, `cannot use stop_timeout "90": a time needs a unit`, `did you mean "90s"?`},
		{`stop_timeout = "soon"`, `cannot use stop_timeout "soon": it is a time such as "90s", "2m" or "1h30m"`, ``},
		{`stop_timeout = "0s"`, `cannot use stop_timeout "0s": it is at least "1s"`, ``},
		{`stop_timeout = "1500ms"`, `cannot use stop_timeout "1500ms": it is in whole seconds`, ``},
		{`stop_timeout = "2h"`, `cannot use stop_timeout "2h": it is at most "1h"`, ``},
		{`restart_limit { within = 10 }`, `cannot use within 10: a time needs a unit`, `did you mean "10s"?`},
		{"jail {\nlimits { cpu = 150 }\n}", `cannot use cpu 150: a share of a processor needs a unit`, `did you mean "150%"?`},
		{"jail {\nlimits { cpu = \"lots\" }\n}", `cannot use cpu "lots": it is a percentage such as "150%", one and a half processors`, ``},
		{"jail {\nlimits { cpu = \"0%\" }\n}", `cannot use cpu "0%": it is at least "1%"`, `leave it out for no limit`},
		{"jail {\nlimits { cpu = \"99999%\" }\n}", `cannot use cpu "99999%": it is at most "25500%"`, ``},
		{"cpus = 4\njail {\nlimits { processes = 11 }\n}", `cannot use processes 11: a hypervisor with 4 cpus has 12 threads or more`, `leave it out for 84`},
		{"jail {\nlimits { memory_overhead = \"1M\" }\n}", `cannot use memory_overhead "1M": it is at least "16M"`, ``},
		{"jail {\nlimits { open_files = 3 }\n}", `cannot use open_files 3: it is at least 32`, ``},

		// Words.
		{`accel = "kwm"`, `cannot use accel "kwm": it is one of "auto", "kvm" or "tcg"`, `did you mean "kvm"?`},
		{`accel = "bhyve"`, `cannot use accel "bhyve": it is one of "auto", "kvm" or "tcg"`, ``},
		{`accel = tcg`, `cannot use accel tcg: text stands in quotes`, `did you mean "tcg"?`},
		{`start = 1`, `cannot use start 1: it is text in quotes`, ``},
		{`restart = "on_crash"`, `cannot use restart "on_crash": it is one of "never", "on-crash" or "always"`, `did you mean "on-crash"?`},
		{`boot = "ueif"`, `cannot use boot "ueif": it is none of "hello", "uefi", "bios" or "loader" and no path of a firmware file`, `did you mean "uefi"?`},
		{`boot = "myfirmware"`, `cannot use boot "myfirmware": it is none of "hello", "uefi", "bios" or "loader" and no path of a firmware file`, `for a file in the directory of the cell file write "./myfirmware"`},
		{`boot = "kernel"`, `cannot use boot "kernel": it is none of "hello", "uefi", "bios" or "loader" and no path of a firmware file`, `write kernel { image = "vmlinuz" } instead`},
		{`boot = ""`, `cannot use boot "": it is none of "hello", "uefi", "bios" or "loader" and no path of a firmware file`, ``},
		{"screen {\nwait = \"true\"\n}", `cannot use wait "true": it is either true or false`, `did you mean true, without quotes?`},
		{"screen {\nwait = 1\n}", `cannot use wait 1: it is either true or false`, ``},

		// Expressions.
		{`cpus = 1 + 1`, `cannot use cpus 1 + 1: a cell file computes nothing`, `write the value itself`},
		{`memory = "${mem}G"`, `cannot use memory "${mem}G": a cell file has no variables and computes nothing`, `write $${ for the characters ${ themselves, and %%{ for %{`},
		{`memory = "${mem}"`, `cannot use memory "${mem}": a cell file has no variables and computes nothing`, ``},
		{`cpus = max(1, 2)`, `cannot use cpus max(1, 2): a cell file has no functions`, ``},
		{`after = null`, `cannot use after null: it is a list`, `leave it out`},
		{`after = "a"`, `cannot use after "a": it is a list`, `did you mean ["a"]?`},
		{`after = ["a", "a"]`, `cannot use after "a": it is in the list already`, ``},
		{`after = [["a"]]`, `cannot use after ["a"]: it takes one value and not a list`, ``},
		{`after = ["x"]`, `cannot use after "x": a cell cannot wait for itself`, ``},

		// Names.
		{`after = ["a.b"]`, `cannot use after "a.b": a dot in a jail's name means a jail within a jail`, `write - instead of the dot`},
		{`disk "1" { file = "d" }`, `cannot use disk "1": it begins with a letter from a to z`, ``},
		{`disk "" { file = "d" }`, `cannot use disk "": it is empty`, ``},
		{`disk "a/b" { file = "d" }`, `cannot use disk "a/b": it is made of letters, digits, - and _`, ``},
		{`disk { file = "d" }`, `cannot use this disk block: it needs a name`, `write disk "disk-01" { … }`},
		{`disk "a" "b" { file = "d" }`, `cannot use disk "b": one name is enough`, ``},
		{`screen "a" { }`, `cannot use screen "a": a screen block has no name`, `write screen { … }`},
		{"screen {}\nscreen {}", `cannot use another screen block: there is one on line 2`, `put everything into one screen block`},
		{"disk \"a\" { file = \"d\" }\ndisk \"a\" { file = \"e\" }", `cannot use disk "a": there is one of that name on line 2`, ``},

		// Unknown things.
		{`memry = "1G"`, `cannot use memry: there is no attribute of that name here`, `did you mean memory?`},
		{`vcpus = 1`, `cannot use vcpus: there is no attribute of that name here`, `did you mean cpus?`},
		{`file = "d"`, `cannot use file: there is no attribute of that name here`, `file belongs in a disk block`},
		{`zzzzzz = "d"`, `cannot use zzzzzz: there is no attribute of that name here`, `skep.hcl(5) lists all that there is`},
		{"share \"s\" {\npath = \"a\"\nzzzzzz = 1\n}", `cannot use zzzzzz: there is no attribute of that name here`, `there is path and read_only`},
		{`screen = true`, `cannot use screen: it is a block and takes no =`, `write screen { … }`},
		{`nic = "lan"`, `cannot use nic: it is a block and takes no =`, `write nic "lan" { … }`},
		{`memory {}`, `cannot use memory: it is an attribute and no block`, `write memory = …`},
		{`volume "d" {}`, `cannot use volume: there is no block of that name here`, `did you mean disk?`},
		{`limits {}`, `cannot use limits: there is no block of that name here`, `limits belongs in a jail block`},

		// Boot.
		{"boot = \"uefi\"\nkernel { image = \"k\" }", `cannot use boot: the kernel block on line 3 says what is booted`, `keep one of the two`},
		{`kernel {}`, `cannot use this kernel block: it needs image`, `add image = "vmlinuz"`},
		{`loader {}`, `cannot use this loader block: the cell does not boot with bhyveload`, `add boot = "loader"`},
		{"boot = \"loader\"\nloader { env = [\"a\"] }", `cannot use env "a": it is name=value`, ``},

		// Disks.
		{`disk "d" {}`, `cannot use this disk block: it needs file, zvol, iso or device`, ``},
		{"disk \"d\" {\nfile = \"a\"\nzvol = \"t/a\"\n}", `cannot use zvol: the disk has file already`, `keep one of the two`},
		{"disk \"d\" {\niso = \"a\"\nsize = \"1G\"\n}", `cannot use size: it means something with file or zvol, which it makes when they are missing, only`, `leave it out`},
		{"disk \"d\" {\nzvol = \"t/a\"\nformat = \"raw\"\n}", `cannot use format: it means something with file only`, `leave it out`},
		{"disk \"d\" {\nfile = \"a\"\nreserved = true\n}", `cannot use reserved: it means something with zvol only`, `leave it out`},
		{"disk \"d\" {\nzvol = \"t/a\"\nreserved = true\n}", `cannot use reserved: it is about making the zvol, for which it needs size`, `add size = "20G"`},
		{"disk \"d\" {\nfile = \"a\"\nread_only = true\nsize = \"1G\"\n}", `cannot use size: a disk made new and read-only stays empty for ever`, `leave out size or read_only`},
		{"disk \"d\" {\niso = \"a\"\nread_only = false\n}", `cannot use read_only: an iso is always read-only`, `use file for an image that the guest writes to`},
		{"disk \"d\" {\nfile = \"a\"\nsize = \"1K\"\n}", `cannot use size "1K": it is at least "1M"`, ``},
		{`disk "d" { file = "a,b" }`, `cannot use file "a,b": bhyve takes what follows a comma in a path for an option`, `rename it, or link to it under another name`},
		{`disk "d" { file = "" }`, `cannot use file "": a path is missing`, ``},
		{`disk "d" { file = "~/a" }`, `cannot use file "~/a": there is no shell here to expand ~`, `write the path in full`},
		{`disk "d" { file = "a\nb" }`, `cannot use file "a\nb": there is a control character or an invisible one in it`, ``},
		{`disk "d" { file = "a\u001bb" }`, `cannot use file "a\u001bb": there is a control character or an invisible one in it`, ``},
		{`disk "d" { file = "` + strings.Repeat("a", 1024) + `" }`, `cannot use file "` + strings.Repeat("a", 38) + `…: the path has 1024 characters and 1023 are the most`, ``},
		{`disk "d" { device = "/dev/zvol/t/a" }`, `cannot use device "/dev/zvol/t/a": a ZFS volume has an attribute of its own`, `did you mean zvol = "t/a"?`},
		{`disk "d" { device = "/etc/passwd" }`, `cannot use device "/etc/passwd": a device is a node in /dev`, `use file for the image of a disk`},
		{`disk "d" { device = "/dev/../etc/passwd" }`, `cannot use device "/dev/../etc/passwd": a device is a node in /dev`, `use file for the image of a disk`},
		{`disk "d" { zvol = "/dev/zvol/t/a" }`, `cannot use zvol "/dev/zvol/t/a": it is the name of a dataset and not the path of its node`, `did you mean "t/a"?`},
		{`disk "d" { zvol = "t" }`, `cannot use zvol "t": it is a volume within a pool, such as "t/disk-01"`, ``},
		{`disk "d" { zvol = "t/a@b" }`, `cannot use zvol "t/a@b": it is a volume, and no snapshot or bookmark`, ``},
		{`disk "d" { zvol = "t/../b" }`, `cannot use zvol "t/../b": ".." is no part of a dataset's name`, ``},
		{`disk "d" { zvol = "t//b" }`, `cannot use zvol "t//b": "" is no part of a dataset's name`, ``},
		{`disk "d" { zvol = "t/a b" }`, `cannot use zvol "t/a b": the name of a dataset is made of letters, digits, and _ - : . between slashes`, ``},
		{`disk "d" { zvol = "/t/b" }`, `cannot use zvol "/t/b": the name of a pool begins with a letter`, ``},
		{`disk "d" { zvol = "` + "t/" + strings.Repeat("a", 199) + `" }`, `cannot use zvol "t/` + strings.Repeat("a", 36) + `…: it has 201 characters and 200 are the most`, ``},
		{"disk \"d\" { file = \"a\" }\ndisk \"e\" { file = \"./a\" }", `cannot use file: another disk uses it already, on line 2`, ``},
		{"disk \"d\" { zvol = \"t/a\" }\ndisk \"e\" { zvol = \"t/a\" }", `cannot use zvol: another disk uses it already, on line 2`, ``},
		{"disk \"d\" { file = \"/a\" }\ndisk \"e\" { iso = \"/a\" }", `cannot use iso: another disk uses it already, on line 2`, ``},

		// Network.
		{`nic "n" {}`, `cannot use this nic block: it needs bridge or tap`, ``},
		{"nic \"n\" {\nbridge = \"b\"\ntap = \"t\"\n}", `cannot use tap: the nic has bridge already`, `keep one of the two`},
		{`nic "n" { bridge = "averylongbridge0" }`, `cannot use bridge "averylongbridge0": the name of an interface has at most 15 characters`, ``},
		{`nic "n" { bridge = "a/b" }`, `cannot use bridge "a/b": the name of an interface is made of letters, digits, dot, - and _`, ``},
		{`nic "n" { bridge = "a b" }`, `cannot use bridge "a b": the name of an interface is made of letters, digits, dot, - and _`, ``},
		{`nic "n" { bridge = "tap*" }`, `cannot use bridge "tap*": the name of an interface is made of letters, digits, dot, - and _`, ``},
		{`nic "n" { bridge = "" }`, `cannot use bridge "": it is empty`, ``},
		{`nic "n" { bridge = ".." }`, `cannot use bridge "..": the name of an interface begins with a letter`, ``},
		{"nic \"n\" {\ntap = \"t\"\nmac = \"03:00:00:00:00:01\"\n}", `cannot use mac "03:00:00:00:00:01": it is a multicast address, which no card can have`, `the lowest bit of the first byte is 0: did you mean "02:00:00:00:00:01"?`},
		{"nic \"n\" {\ntap = \"t\"\nmac = \"02:00\"\n}", `cannot use mac "02:00": it is six bytes such as "02:00:00:12:34:56"`, ``},
		{"nic \"n\" {\ntap = \"t\"\nmac = \"00:00:00:00:00:00\"\n}", `cannot use mac "00:00:00:00:00:00": it is no card's address`, `leave mac out and one is made from the names of cell and nic`},
		{"nic \"n\" {\ntap = \"t\"\nmac = \"02:00:00:00:00:01\"\n}\nnic \"m\" {\ntap = \"u\"\nmac = \"02:00:00:00:00:01\"\n}", `cannot use mac: another nic uses it already, on line 4`, ``},
		{"nic \"n\" { tap = \"t\" }\nnic \"m\" { tap = \"t\" }", `cannot use tap: another nic uses it already, on line 2`, ``},
		{"nic \"n\" { bridge = \"bridge0\" }\nbridge \"bridge1\" {}", `cannot use bridge "bridge1": no nic of this cell is on it`, `did you mean "bridge0"?`},
		{"nic \"n\" { bridge = \"b\" }\nbridge \"b\" { uplink = \"em0\" }", `cannot use uplink: a bridge that is not made here is left as it is`, `add create = true`},

		// Screen, debugger, console.
		{`screen { listen = ":5900" }`, `cannot use listen ":5900": it does not say which address`, `did you mean "127.0.0.1:5900"? For every address of the host write "0.0.0.0:5900"`},
		{`screen { listen = "*:5900" }`, `cannot use listen "*:5900": it does not say which address`, `*`},
		{`screen { listen = 5900 }`, `cannot use listen 5900: it is an address and a port`, `did you mean "127.0.0.1:5900"?`},
		{`screen { listen = "5900" }`, `cannot use listen "5900": it is an address and a port, such as "127.0.0.1:5900"`, `did you mean "127.0.0.1:5900"?`},
		{`screen { listen = "192.0.2.1" }`, `cannot use listen "192.0.2.1": it is an address and a port, such as "127.0.0.1:5900"`, `did you mean "192.0.2.1:5900"?`},
		{`screen { listen = "::1:5900" }`, `cannot use listen "::1:5900": it is an address and a port, such as "127.0.0.1:5900"`, `*`},
		{`screen { listen = "localhost:5900" }`, `cannot use listen "localhost:5900": an address is written in numbers`, `did you mean "127.0.0.1:5900"?`},
		{`screen { listen = "host.example:5900" }`, `cannot use listen "host.example:5900": "host.example" is no address in numbers`, ``},
		{`screen { listen = "127.0.0.1:0" }`, `cannot use listen "127.0.0.1:0": the port is a number from 1 to 65535`, ``},
		{`screen { listen = "127.0.0.1:65536" }`, `cannot use listen "127.0.0.1:65536": the port is a number from 1 to 65535`, ``},
		{`screen { listen = "[fe80::1%em0]:1" }`, `cannot use listen "[fe80::1%em0]:1": an address with a zone cannot be listened on`, ``},
		{`gdb {}`, `cannot use this gdb block: it needs listen`, `add listen = "127.0.0.1:1234"`},
		{"screen { listen = \"127.0.0.1:1\" }\ngdb { listen = \"127.0.0.1:1\" }", `cannot use listen: the screen uses it already, on line 2`, ``},
		{`console { device = "/dev/ttyu0" }`, `cannot use device "/dev/ttyu0": it is the guest's end of a null modem, /dev/nmdm…A`, ``},
		{`console { device = "/dev/nmdm0B" }`, `cannot use device "/dev/nmdm0B": it is the guest's end of a null modem, /dev/nmdm…A`, `the host keeps the B end; did you mean "/dev/nmdm0A"?`},
		{`console { device = "/dev/nmdm0" }`, `cannot use device "/dev/nmdm0": it is the guest's end of a null modem, /dev/nmdm…A`, `did you mean "/dev/nmdm0A"?`},
		{`console { device = "/dev/nmdm*A" }`, `cannot use device "/dev/nmdm*A": it is the guest's end of a null modem, /dev/nmdm…A`, ``},

		// The jail.
		{`jail { network = "shared" }`, `cannot use network "shared": it needs an address of the host to share`, `add ip4 = ["192.0.2.1"] with one of this host's addresses`},
		{"jail {\nnetwork = \"shared\"\nip4 = []\n}", `cannot use network "shared": ip4 and ip6 are empty`, ``},
		{`jail { ip4 = ["192.0.2.1"] }`, `cannot use ip4: the jail has no network`, `add network = "shared"`},
		{"jail {\nnetwork = \"vnet\"\nip6 = [\"::1\"]\n}", `cannot use ip6: a vnet jail has a network of its own and none of the host's addresses`, `leave it out, or use network = "shared"`},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"::1\"]\n}", `cannot use ip4 "::1": it is no IPv4 address`, `it belongs in ip6`},
		{"jail {\nnetwork = \"shared\"\nip6 = [\"x\"]\n}", `cannot use ip6 "x": it is no IPv6 address`, ``},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"192.0.2.1/33\"]\n}", `cannot use ip4 "192.0.2.1/33": what follows the / is no prefix length of an IPv4 address`, ``},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"0.0.0.0\"]\n}", `cannot use ip4 "0.0.0.0": a host cannot have this address`, ``},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"em0|192.0.2.1\"]\n}", `cannot use ip4 "em0|192.0.2.1": skep gives the jail an address that the host has, and adds none to em0`, `did you mean "192.0.2.1"?`},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"192.0.2.1\"]\n}\nscreen { listen = \"127.0.0.1:5900\" }", `cannot use listen "127.0.0.1:5900": the jail has only 192.0.2.1, and the kernel would use that instead`, `did you mean "192.0.2.1:5900"?`},
		{`jail { root = "/" }`, `cannot use root "/": this is the host's own root, and its /dev would be covered by the jail's`, ``},
		{`jail { root = "../.." }`, `cannot use root "../..": this is the host's own root, and its /dev would be covered by the jail's`, ``},
		{`jail { root = "/` + strings.Repeat("a", 88) + `" }`, `cannot use root "/` + strings.Repeat("a", 37) + `…: the path has 89 characters and the mounts of a jail take 88`, ``},
		{`jail { allow_missing = ["landlok"] }`, `cannot use allow_missing "landlok": the jail has no layer of that name`, `did you mean "landlock"?`},
		{`jail { allow_missing = ["magic"] }`, `cannot use allow_missing "magic": the jail has no layer of that name`, `its layers are landlock, seccomp`},
		{`share "s" {}`, `cannot use this share block: it needs path`, `add path = "/srv/share"`},
		{`share "s" { path = "/" }`, `cannot use path "/": it would show the guest all of the host`, `share one directory`},
		{`passthru "p" {}`, `cannot use this passthru block: it needs pci`, `add pci = "3/0/0"`},
		{`passthru "p" { pci = "pci0:3:0:0" }`, `cannot use pci "pci0:3:0:0": it is "bus/slot/function" such as "3/0/0"`, `did you mean "3/0/0"?`},
		{`passthru "p" { pci = "3/0/8" }`, `cannot use pci "3/0/8": bus, slot and function are numbers up to 255, 31 and 7`, ``},
		{"passthru \"p\" { pci = \"3/0/1\" }\npassthru \"q\" { pci = \"3/0/1\" }", `cannot use pci: another passthru uses it already, on line 2`, ``},
		{`hypervisor { args = [""] }`, `cannot use args "": it is empty`, ``},
		{`hypervisor { args = ["a\nb"] }`, `cannot use args "a\nb": there is a control character or an invisible one in it`, ``},

		// Form.
		{`memory = 16G`, `cannot read this line: text stands in quotes`, `did you mean "16G"?`},
		{`stop_timeout = 90s`, `cannot read this line: text stands in quotes`, `did you mean "90s"?`},
		{`disk "d" { file = /a/b }`, `cannot read this line: text stands in quotes`, `did you mean "/a/b"?`},
		{"cpus = 1\ncpus = 2", `cannot use cpus twice: it stands in this block already`, `keep one of the two`},
		{`jail { network = "shared"  ip4 = ["192.0.2.1"] }`, `cannot read this block: on one line there is room for one attribute`, `give each attribute a line of its own, without commas`},
		{`bridge "b" { create = true, uplink = "em0" }`, `cannot read this block: on one line there is room for one attribute`, `give each attribute a line of its own, without commas`},
		{`cpus = 1, memory = "1G"`, `cannot read this line: there is no comma between attributes`, `give each attribute a line of its own`},
		{`cpus = 1 memory = "1G"`, `cannot read this line: something follows the value`, `give each attribute a line of its own, without commas`},
		{`cpus`, `cannot read this line: it is neither name = value nor a block`, ``},
		{`cpus: 1`, `cannot read this line: it is neither name = value nor a block`, ``},
		{`boot = 'uefi'`, `cannot read this line: text stands in double quotes`, ``},
		{`boot = "uefi`, `cannot read this text: its closing quote is missing`, ``},
		{`cpus =`, `cannot read this line: a value is missing`, ``},
		{"cpus = \n boot = \"uefi\"", `cannot read this line: a value is missing`, ``},
		{"disk \"d\" { file = \"a\"\n}", `cannot read this block: what begins on the line of its { ends on that line`, `begin a new line after {`},
		{"disk \"d\" {\nfile = \"a\" }", `cannot read this line: a block of several lines ends with } on a line of its own`, ``},
		{"hypervisor {\nargs = [\"a\" \"b\"]\n}", `*`, `*`},
		{"hypervisor {\nargs = [\"a\",\n}", `*`, `*`},
	} {
		src := "cell \"x\" {\n" + tt.body + "\n}\n"
		_, diags := Options{Layers: []string{"landlock", "seccomp"}}.Parse("/x.hcl", []byte(src))
		var got []string
		for _, d := range diags {
			got = append(got, fmt.Sprintf("%s: %s\n   hint: %s", d.Pos, d.Summary, d.Hint))
		}
		switch {
		case len(diags) != 1:
			t.Errorf("%s\n%d mistakes and not one:\n%s", tt.body, len(diags), strings.Join(got, "\n"))
		case tt.want != "*" && diags[0].Summary != tt.want, tt.hint != "*" && diags[0].Hint != tt.hint:
			t.Errorf("%s\n%s\nwant %s\n   hint: %s", tt.body, got[0], tt.want, tt.hint)
		case tt.want == "*" && testing.Verbose():
			t.Logf("%s\n%s", tt.body, got[0])
		}
	}
}

// TestRefusedFiles is about what stands around the cell.
func TestRefusedFiles(t *testing.T) {
	for src, want := range map[string]string{
		``:                             `x:1:1: cannot find a cell in this file`,
		`# nothing`:                    `x:1:1: cannot find a cell in this file`,
		`cell {}`:                      `x:1:1: cannot use this cell block: a cell needs a name`,
		`cell "a" "b" {}`:              `x:1:10: cannot use cell "b": one name is enough`,
		"cell \"a\" {}\ncell \"b\" {}": `x:2:1: cannot use another cell block: there is one on line 1`,
		`cell "a.b" {}`:                `x:1:6: cannot use the name "a.b": a dot in a jail's name means a jail within a jail`,
		`cell "../a" {}`:               `x:1:6: cannot use the name "../a": it begins with a letter from a to z`,
		`cell "a/b" {}`:                `x:1:6: cannot use the name "a/b": it is made of letters, digits, - and _`,
		`cell "a\nb" {}`:               `x:1:6: cannot use the name "a\nb": it is made of letters, digits, - and _`,
		`cell "é" {}`:                  `x:1:6: cannot use the name "é": it begins with a letter from a to z`,
		`cell "` + strings.Repeat("a", 200) + `" {}`: `x:1:6: cannot use the name "` + strings.Repeat("a", 38) + `…: it has 200 characters and 32 are the most`,
		`cpus = 1`:               `x:1:1: cannot use cpus: it stands outside of a cell`,
		`disk "d" {}`:            `x:1:1: cannot use disk: a file holds one cell block and nothing else`,
		`cel "d" {}`:             `x:1:1: cannot use cel: a file holds one cell block and nothing else`,
		`cell "a" {`:             `x:1:10: cannot read this block: its } is missing`,
		"cell \"a\" {}\n}":       `*`,
		"\x00\x01\x02":           `*`,
		"\xff\xfe":               `*`,
		"#!/bin/sh\nexit 1\n":    `*`,
		strings.Repeat("[", 300): `x:1:1: cannot read the file: its brackets are nested too deep`,
		"a = " + strings.Repeat("-", 20000) + "1": `x:1:1: cannot read the file: there is far more in it than in any cell file`,
		strings.Repeat("#", maxFile+1):            `x:1:1: cannot read the file: it is larger than 1 MiB, which no cell file is`,
	} {
		_, diags := Parse("x", []byte(src))
		switch {
		case len(diags) == 0:
			t.Errorf("%.60q: accepted", src)
		case want == "*":
			if testing.Verbose() {
				t.Logf("%q\n%v\n%s", src, diags, diags[0].Hint)
			}
		case len(diags) != 1 || diags[0].Error() != want:
			t.Errorf("%.60q:\n%v\nwant %s", src, diags, want)
		}
	}
}
