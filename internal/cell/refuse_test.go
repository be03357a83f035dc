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
		{`cpus = 0`, `invalid cpus 0: must be at least 1`, ``},
		{`cpus = -1`, `invalid cpus -1: must be at least 1`, ``},
		{`cpus = 256`, `invalid cpus 256: must be at most 255`, `without interrupt remapping that is all a virtual machine can address`},
		{`cpus = 1e30`, `invalid cpus 1e30: must be at most 255`, `*`},
		{`cpus = 1.5`, `cpus must be a whole number, got 1.5`, ``},
		{`cpus = "4"`, `cpus must be a number, got "4"`, `did you mean 4, without quotes?`},
		{`cpus = "four"`, `cpus must be a number, got "four"`, ``},
		{`cpus = true`, `cpus must be a number, got true`, ``},
		{`cpus = [1]`, `invalid cpus [1]: must be a single value, not a list`, ``},
		{`cpus = {}`, `invalid cpus {}: must be a single value, not an object`, ``},
		{`cpus = null`, `invalid cpus null: null is not allowed`, `leave out cpus to get its default`},
		{"screen {\nwidth = 10\n}", `invalid width 10: must be at least 640`, ``},
		{"screen {\nheight = 9999\n}", `invalid height 9999: must be at most 2160`, ``},
		{`restart_limit { starts = 0 }`, `invalid starts 0: must be at least 1`, ``},

		// Access.
		{"access {\nmay = [\"read\"]\n}", `invalid access block: needs users or groups`, `add users = ["analyst"]`},
		{`access { users = ["a"] }`, `invalid access block: needs may`, `add may = ["read"]`},
		{"access {\nusers = []\nmay = [\"read\"]\n}", `invalid access block: names nobody`, `*`},
		{"access {\nusers = [\"a\"]\nmay = []\n}", `invalid may: must not be empty`, `*`},
		{"access {\nusers = [\"a\"]\nmay = [\"pwoer\"]\n}", `invalid may "pwoer": must be "console", "screen", "power" or "read"`, `did you mean "power"?`},
		{"access {\nusers = [\"a\", \"a\"]\nmay = [\"read\"]\n}", `invalid users "a": already in the list`, ``},
		{"access {\nusers = [\"a:b\"]\nmay = [\"read\"]\n}", `invalid users "a:b": must be the name or the number of an account`, ``},
		{"access {\ngroups = [\"\"]\nmay = [\"read\"]\n}", `invalid groups "": must not be empty`, ``},
		{"access {\nusers = \"a\"\nmay = [\"read\"]\n}", `users must be a list, got "a"`, `did you mean ["a"]?`},
		{"access \"x\" {\nusers = [\"a\"]\nmay = [\"read\"]\n}", `invalid access "x": access blocks take no name`, `write access { … }`},

		// Units.
		{`memory = 16`, `invalid memory 16: needs a unit`, `did you mean "16G"?`},
		{`memory = 512`, `invalid memory 512: needs a unit`, `did you mean "512M"?`},
		{`memory = 16384`, `invalid memory 16384: needs a unit`, `did you mean "16384M"?`},
		{`memory = 17179869184`, `invalid memory 17179869184: needs a unit`, `did you mean "16G"?`},
		{`memory = "16"`, `invalid memory "16": needs a unit`, `did you mean "16G"?`},
		{`memory = 1.5`, `invalid memory 1.5: needs a unit`, ``},
		{`memory = -1`, `invalid memory -1: needs a unit`, ``},
		{`memory = "1.5G"`, `invalid memory "1.5G": must be a whole number with a unit`, `did you mean "1536M"?`},
		{`memory = "16GB"`, `invalid memory "16GB": must be a number followed by K, M, G or T`, `did you mean "16G"?`},
		{`memory = "16 gib"`, `invalid memory "16 gib": must be a number followed by K, M, G or T`, `did you mean "16G"?`},
		{`memory = ""`, `invalid memory "": a size is missing`, ``},
		{`memory = "lots"`, `invalid memory "lots": has no unit: one of K, M, G, T`, ``},
		{`memory = "-1G"`, `invalid memory "-1G": is not a whole number with a unit, such as "16G"`, ``},
		{`memory = "0M"`, `invalid memory "0M": must be at least "1M"`, ``},
		{`memory = "1500K"`, `invalid memory "1500K": must be a multiple of "1M"`, ``},
		{`memory = "65T"`, `invalid memory "65T": must be at most "64T"`, ``},
		{`memory = "99999999999T"`, `invalid memory "99999999999T": is more than any machine holds`, ``},
		{`memory = true`, `memory must be text in quotes, got true`, ``},
		{`console { log_size = "1K" }`, `invalid log_size "1K": must be at least "4K"`, ``},
		{`console { log_size = "2G" }`, `invalid log_size "2G": must be at most "1G"`, ``},
		{`stop_timeout = 90`, `invalid stop_timeout 90: needs a unit`, `did you mean "90s"?`},
		{`stop_timeout = "90"`, `invalid stop_timeout "90": needs a unit`, `did you mean "90s"?`},
		{`stop_timeout = "soon"`, `invalid stop_timeout "soon": must be a time such as "90s", "2m" or "1h30m"`, ``},
		{`stop_timeout = "0s"`, `invalid stop_timeout "0s": must be at least "1s"`, ``},
		{`stop_timeout = "1500ms"`, `invalid stop_timeout "1500ms": must be in whole seconds`, ``},
		{`time_limit = 60`, `invalid time_limit 60: needs a unit`, `did you mean "60s"?`},
		{`time_limit = "0s"`, `invalid time_limit "0s": must be at least "1s"`, ``},
		{`time_limit = "9000h"`, `invalid time_limit "9000h": must be at most "8760h"`, ``},
		{`stop_timeout = "2h"`, `invalid stop_timeout "2h": must be at most "1h"`, ``},
		{`restart_limit { within = 10 }`, `invalid within 10: needs a unit`, `did you mean "10s"?`},
		{"jail {\nlimits { cpu = 150 }\n}", `invalid cpu 150: needs a unit`, `did you mean "150%"?`},
		{"jail {\nlimits { cpu = \"lots\" }\n}", `invalid cpu "lots": must be a percentage such as "150%", for one and a half processors`, ``},
		{"jail {\nlimits { cpu = \"0%\" }\n}", `invalid cpu "0%": must be at least "1%"`, `leave it out to have no limit`},
		{"jail {\nlimits { cpu = \"99999%\" }\n}", `invalid cpu "99999%": must be at most "25500%"`, ``},
		{"cpus = 4\njail {\nlimits { processes = 11 }\n}", `invalid processes 11: a hypervisor with 4 cpus needs at least 12`, `leave it out to get 84`},
		{"jail {\nlimits { memory_overhead = \"1M\" }\n}", `invalid memory_overhead "1M": must be at least "16M"`, ``},
		{"jail {\nlimits { open_files = 3 }\n}", `invalid open_files 3: must be at least 32`, ``},

		// Words.
		{`accel = "kwm"`, `invalid accel "kwm": must be "auto", "kvm" or "tcg"`, `did you mean "kvm"?`},
		{`accel = "bhyve"`, `invalid accel "bhyve": must be "auto", "kvm" or "tcg"`, ``},
		{`accel = tcg`, `invalid accel tcg: text must be in quotes`, `did you mean "tcg"?`},
		{`start = 1`, `start must be text in quotes, got 1`, ``},
		{`restart = "on_crash"`, `invalid restart "on_crash": must be "never", "on-crash" or "always"`, `did you mean "on-crash"?`},
		{`boot = "ueif"`, `invalid boot "ueif": must be "hello", "uefi", "bios", "loader" or the path of a firmware file`, `did you mean "uefi"?`},
		{`boot = "myfirmware"`, `invalid boot "myfirmware": must be "hello", "uefi", "bios", "loader" or the path of a firmware file`, `for a file next to the cell file write "./myfirmware"`},
		{`boot = "kernel"`, `invalid boot "kernel": must be "hello", "uefi", "bios", "loader" or the path of a firmware file`, `write kernel { image = "vmlinuz" } instead`},
		{`boot = ""`, `invalid boot "": must be "hello", "uefi", "bios", "loader" or the path of a firmware file`, ``},
		{"screen {\nwait = \"true\"\n}", `wait must be true or false, got "true"`, `did you mean true, without quotes?`},
		{"screen {\nwait = 1\n}", `wait must be true or false, got 1`, ``},

		// Expressions.
		{`cpus = 1 + 1`, `invalid cpus 1 + 1: expressions are not supported`, `write the value itself`},
		{`memory = "${mem}G"`, `invalid memory "${mem}G": variables and expressions are not supported`, `write $${ for the characters ${ themselves, and %%{ for %{`},
		{`memory = "${mem}"`, `invalid memory "${mem}": variables and expressions are not supported`, ``},
		{`cpus = max(1, 2)`, `invalid cpus max(1, 2): functions are not supported`, ``},
		{`after = null`, `after must be a list, got null`, `leave it out`},
		{`after = "a"`, `after must be a list, got "a"`, `did you mean ["a"]?`},
		{`after = ["a", "a"]`, `invalid after "a": already in the list`, ``},
		{`after = [["a"]]`, `invalid after ["a"]: must be a single value, not a list`, ``},
		{`after = ["x"]`, `invalid after "x": a cell cannot wait for itself`, ``},

		// Names.
		{`after = ["a.b"]`, `invalid after "a.b": must not contain a dot, which would make a jail within a jail`, `use - instead of the dot`},
		{`disk "1" { file = "d" }`, `invalid disk "1": must start with a letter`, ``},
		{`disk "" { file = "d" }`, `invalid disk "": must not be empty`, ``},
		{`disk "a/b" { file = "d" }`, `invalid disk "a/b": must consist of letters, digits, - and _`, ``},
		{`disk { file = "d" }`, `invalid disk block: needs a name`, `write disk "disk-01" { … }`},
		{`disk "a" "b" { file = "d" }`, `invalid disk "b": must have one name only`, ``},
		{`screen "a" { }`, `invalid screen "a": a screen block takes no name`, `write screen { … }`},
		{"screen {}\nscreen {}", `invalid second screen block: already defined on line 2`, `put everything into one screen block`},
		{"disk \"a\" { file = \"d\" }\ndisk \"a\" { file = \"e\" }", `invalid disk "a": this name is already used on line 2`, ``},

		// Unknown things.
		{`memry = "1G"`, `unknown attribute memry`, `did you mean memory?`},
		{`vcpus = 1`, `unknown attribute vcpus`, `did you mean cpus?`},
		{`file = "d"`, `unknown attribute file`, `file belongs in a disk block`},
		{`zzzzzz = "d"`, `unknown attribute zzzzzz`, `see skep.hcl(5) for all attributes and blocks`},
		{"share \"s\" {\npath = \"a\"\nzzzzzz = 1\n}", `unknown attribute zzzzzz`, `allowed here: path and read_only`},
		{`screen = true`, `invalid screen: this is a block, not an attribute`, `write screen { … }`},
		{`nic = "lan"`, `invalid nic: this is a block, not an attribute`, `write nic "lan" { … }`},
		{`memory {}`, `invalid memory: this is an attribute, not a block`, `write memory = …`},
		{`volume "d" {}`, `unknown block volume`, `did you mean disk?`},
		{`limits {}`, `unknown block limits`, `limits belongs in a jail block`},

		// Boot.
		{"boot = \"uefi\"\nkernel { image = \"k\" }", `invalid boot: cannot be combined with the kernel block on line 3`, `keep one of the two`},
		{`kernel {}`, `invalid kernel block: needs image`, `add image = "vmlinuz"`},
		{`loader {}`, `invalid loader block: only valid together with boot = "loader"`, `add boot = "loader"`},
		{"boot = \"loader\"\nloader { env = [\"a\"] }", `invalid env "a": must be name=value`, ``},

		// Networks in user space.
		{"nic \"n\" {\nnetwork = \"sinkhole\"\nallow = [\"a:1\"]\n}", `invalid allow: only valid together with network = "user"`, `leave it out`},
		{"nic \"n\" {\nnetwork = \"user\"\nallow = [\"deb.example\"]\n}", `invalid allow "deb.example": must be a name, an address or a network with a port, such as "deb.example:443"`, ``},
		{"nic \"n\" {\nnetwork = \"user\"\nallow = [\"192.0.2.1/24:53\"]\n}", `invalid allow "192.0.2.1/24:53": the network must be one of IPv4, such as "192.0.2.0/24"`, ``},
		{"nic \"n\" {\nbridge = \"br0\"\ncapture_size = \"4M\"\n}", `invalid capture_size: only valid together with capture = true`, `add capture = true, or leave it out`},
		{"seed { sinkhole_ca = true }", `invalid sinkhole_ca: no nic of this cell is on a sinkhole`, `add nic "lan" { network = "sinkhole" }`},
		{`nic "n" {}`, `invalid nic block: needs bridge, tap or network`, ``},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\nbridge = \"br0\"\n}", `invalid network: cannot be combined with bridge`, `keep one of the two`},
		{`nic "n" { network = "sinkhol" }`, `invalid network "sinkhol": must be "sinkhole", "user" or "lab"`, `did you mean "sinkhole"?`},
		{"nic \"n\" {\ntap = \"tap0\"\nvlan = 2\n}", `invalid vlan: only valid together with bridge`, `leave it out`},
		{"nic \"n\" {\nnetwork = \"lab\"\nisolated = true\n}", `invalid isolated: only valid together with bridge`, `leave it out`},
		{"nic \"n\" {\nnetwork = \"lab\"\nrate_in = \"1M\"\n}", `invalid rate_in: only valid together with bridge`, `leave it out`},
		{"nic \"n\" {\nbridge = \"br0\"\nvlan = 4095\n}", `invalid vlan 4095: must be at most 4094`, `a VLAN has 12 bits, and the first and the last mean something else`},
		{"nic \"n\" {\nbridge = \"br0\"\nvlan = 0\n}", `invalid vlan 0: must be at least 1`, ``},
		{"nic \"n\" {\nbridge = \"br0\"\nrate_out = \"1K\"\n}", `invalid rate_out "1K": must be at least "8K"`, ``},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\nsegment = \"s\"\n}", `invalid segment: only valid together with network = "lab"`, `leave it out`},
		{"nic \"n\" {\nnetwork = \"lab\"\nsegment = \"a/b\"\n}", `invalid segment "a/b": must consist of letters, digits, - and _`, ``},
		{"nic \"n\" {\nbridge = \"br0\"\ndns = {}\n}", `invalid dns: only valid together with network = "sinkhole"`, `leave it out`},
		{"nic \"n\" {\nbridge = \"br0\"\nanswer \"http\" { file = \"f\" }\n}", `invalid answer "http": only valid together with network = "sinkhole"`, `leave it out`},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\nanswer \"gopher\" { file = \"f\" }\n}", `invalid answer "gopher": must be http, https, or tcp- or udp- and a port, such as "tcp-4444"`, ``},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\nanswer \"tcp-0\" { file = \"f\" }\n}", `invalid answer "tcp-0": must be http, https, or tcp- or udp- and a port, such as "tcp-4444"`, ``},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\nanswer \"http\" {}\n}", `invalid answer block: needs file`, `add file = "page.html"`},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\ndns = [\"a\"]\n}", `dns must be names with their addresses, got ["a"]`, `such as { "example.org" = "198.18.0.9" }`},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\ndns = { \"a b\" = \"198.18.0.9\" }\n}", `invalid dns "a b": must consist of letters, digits, - and dots`, ``},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\ndns = { \"a\" = \"::1\" }\n}", `invalid dns "::1": must be an IPv4 address, such as "198.18.0.9"`, ``},
		{"nic \"n\" {\nnetwork = \"sinkhole\"\ndns = { \"a\" = \"1.2.3.4\", \"A\" = \"1.2.3.5\" }\n}", `invalid dns "A": already in the list`, ``},

		// Disks.
		{`disk "d" {}`, `invalid disk block: needs file, zvol, iso, device, base or image`, ``},
		{"disk \"d\" {\nfile = \"a\"\nzvol = \"t/a\"\n}", `invalid zvol: cannot be combined with file`, `keep one of the two`},
		{"disk \"d\" {\nfile = \"a\"\ndisposable = true\n}", `invalid disposable: only valid together with base or image`, `leave it out`},
		{"disk \"d\" {\nbase = \"a\"\nimage = \"b\"\n}", `invalid image: cannot be combined with base`, `keep one of the two`},
		{"disk \"d\" {\nbase = \"a\"\nread_only = true\n}", `invalid read_only: a layer is there to be written`, `use file = … for an image that is only read`},
		{"disk \"d\" {\nimage = \"a/b\"\n}", `invalid image "a/b": must be the name of an image in the store, not a path`, `base = "a/b" uses a file`},
		{"disk \"d\" {\nimage = \"-a\"\n}", `invalid image "-a": must start with a letter or a digit`, ``},
		{"disk \"d\" {\nimage = \"a\"\nformat = \"raw\"\n}", `invalid format: only valid together with file or base`, `leave it out`},
		{"disk \"d\" {\nfile = \"/a\"\n}\ndisk \"e\" {\nbase = \"/a\"\n}", `invalid base: already used by another disk on line 3, which may write to it`, ``},
		{"jail {\nlimits {\ndisk = \"1M\"\n}\n}", `invalid disk "1M": must be at least "16M"`, ``},
		{"disk \"d\" {\niso = \"a\"\nsize = \"1G\"\n}", `invalid size: only valid together with file, zvol, base or image`, `leave it out`},
		{"disk \"d\" {\nzvol = \"t/a\"\nformat = \"raw\"\n}", `invalid format: only valid together with file or base`, `leave it out`},
		{"disk \"d\" {\nfile = \"a\"\nreserved = true\n}", `invalid reserved: only valid together with zvol`, `leave it out`},
		{"disk \"d\" {\nzvol = \"t/a\"\nreserved = true\n}", `invalid reserved: needs size, as it only matters when the zvol is created`, `add size = "20G"`},
		{"disk \"d\" {\nfile = \"a\"\nread_only = true\nsize = \"1G\"\n}", `invalid size: a new disk that is read-only would stay empty`, `leave out size or read_only`},
		{"disk \"d\" {\niso = \"a\"\nread_only = false\n}", `invalid read_only: an iso is always read-only`, `use file for an image that the guest writes to`},
		{"disk \"d\" {\nfile = \"a\"\nsize = \"1K\"\n}", `invalid size "1K": must be at least "1M"`, ``},
		{`disk "d" { file = "a,b" }`, `invalid file "a,b": must not contain a comma, which bhyve takes for the end of the path`, `rename the file, or use a link without a comma`},
		{`disk "d" { file = "" }`, `invalid file "": must not be empty`, ``},
		{`disk "d" { file = "~/a" }`, `invalid file "~/a": ~ is not expanded`, `write the full path`},
		{`disk "d" { file = "a\nb" }`, `invalid file "a\nb": must not contain control or invisible characters`, ``},
		{`disk "d" { file = "a\u001bb" }`, `invalid file "a\u001bb": must not contain control or invisible characters`, ``},
		{`disk "d" { file = "` + strings.Repeat("a", 1024) + `" }`, `invalid file "` + strings.Repeat("a", 38) + `…: the path has 1024 characters, at most 1023 are allowed`, ``},
		{`disk "d" { device = "/dev/zvol/t/a" }`, `invalid device "/dev/zvol/t/a": a ZFS volume has its own attribute`, `did you mean zvol = "t/a"?`},
		{`disk "d" { device = "/etc/passwd" }`, `invalid device "/etc/passwd": must be a device node in /dev`, `use file for a disk image`},
		{`disk "d" { device = "/dev/../etc/passwd" }`, `invalid device "/dev/../etc/passwd": must be a device node in /dev`, `use file for a disk image`},
		{`disk "d" { zvol = "/dev/zvol/t/a" }`, `invalid zvol "/dev/zvol/t/a": must be the name of a dataset, not the path of its device`, `did you mean "t/a"?`},
		{`disk "d" { zvol = "t" }`, `invalid zvol "t": must be a volume in a pool, such as "t/disk-01"`, ``},
		{`disk "d" { zvol = "t/a@b" }`, `invalid zvol "t/a@b": must be a volume, not a snapshot or bookmark`, ``},
		{`disk "d" { zvol = "t/../b" }`, `invalid zvol "t/../b": ".." cannot be part of a dataset name`, ``},
		{`disk "d" { zvol = "t//b" }`, `invalid zvol "t//b": "" cannot be part of a dataset name`, ``},
		{`disk "d" { zvol = "t/a b" }`, `invalid zvol "t/a b": a dataset name must consist of letters, digits, and _ - : . between slashes`, ``},
		{`disk "d" { zvol = "/t/b" }`, `invalid zvol "/t/b": the name of a pool must start with a letter`, ``},
		{`disk "d" { zvol = "` + "t/" + strings.Repeat("a", 199) + `" }`, `invalid zvol "t/` + strings.Repeat("a", 36) + `…: has 201 characters, at most 200 are allowed`, ``},
		{"disk \"d\" { file = \"a\" }\ndisk \"e\" { file = \"./a\" }", `invalid file: already used by another disk on line 2`, ``},
		{"disk \"d\" { zvol = \"t/a\" }\ndisk \"e\" { zvol = \"t/a\" }", `invalid zvol: already used by another disk on line 2`, ``},
		{"disk \"d\" { file = \"/a\" }\ndisk \"e\" { iso = \"/a\" }", `invalid iso: already used by another disk on line 2`, ``},

		// Network.
		{"nic \"n\" {\nbridge = \"b\"\ntap = \"t\"\n}", `invalid tap: cannot be combined with bridge`, `keep one of the two`},
		{`nic "n" { bridge = "averylongbridge0" }`, `invalid bridge "averylongbridge0": an interface name has at most 15 characters`, ``},
		{`nic "n" { bridge = "a/b" }`, `invalid bridge "a/b": an interface name must consist of letters, digits, dots, - and _`, ``},
		{`nic "n" { bridge = "a b" }`, `invalid bridge "a b": an interface name must consist of letters, digits, dots, - and _`, ``},
		{`nic "n" { bridge = "tap*" }`, `invalid bridge "tap*": an interface name must consist of letters, digits, dots, - and _`, ``},
		{`nic "n" { bridge = "" }`, `invalid bridge "": must not be empty`, ``},
		{`nic "n" { bridge = ".." }`, `invalid bridge "..": an interface name must start with a letter`, ``},
		{"nic \"n\" {\ntap = \"t\"\nmac = \"03:00:00:00:00:01\"\n}", `invalid mac "03:00:00:00:00:01": a network card cannot have a multicast address`, `the lowest bit of the first byte is 0: did you mean "02:00:00:00:00:01"?`},
		{"nic \"n\" {\ntap = \"t\"\nmac = \"02:00\"\n}", `invalid mac "02:00": must be six bytes, such as "02:00:00:12:34:56"`, ``},
		{"nic \"n\" {\ntap = \"t\"\nmac = \"00:00:00:00:00:00\"\n}", `invalid mac "00:00:00:00:00:00": not the address of a network card`, `leave out mac to have one made from the names of the cell and the nic`},
		{"nic \"n\" {\ntap = \"t\"\nmac = \"02:00:00:00:00:01\"\n}\nnic \"m\" {\ntap = \"u\"\nmac = \"02:00:00:00:00:01\"\n}", `invalid mac: already used by another nic on line 4`, ``},
		{"nic \"n\" { tap = \"t\" }\nnic \"m\" { tap = \"t\" }", `invalid tap: already used by another nic on line 2`, ``},
		{"nic \"n\" { bridge = \"bridge0\" }\nbridge \"bridge1\" {}", `invalid bridge "bridge1": no nic of this cell uses it`, `did you mean "bridge0"?`},
		{"nic \"n\" { bridge = \"b\" }\nbridge \"b\" { uplink = \"em0\" }", `invalid uplink: needs create = true, as an existing bridge is not changed`, `add create = true`},

		// Screen, debugger, console.
		{`screen { listen = ":5900" }`, `invalid listen ":5900": the address is missing`, `did you mean "127.0.0.1:5900"? For every address of the host write "0.0.0.0:5900"`},
		{`screen { listen = "*:5900" }`, `invalid listen "*:5900": the address is missing`, `*`},
		{`screen { listen = 5900 }`, `listen must be an address and a port, got 5900`, `did you mean "127.0.0.1:5900"?`},
		{`screen { listen = "5900" }`, `invalid listen "5900": must be an address and a port, such as "127.0.0.1:5900"`, `did you mean "127.0.0.1:5900"?`},
		{`screen { listen = "192.0.2.1" }`, `invalid listen "192.0.2.1": must be an address and a port, such as "127.0.0.1:5900"`, `did you mean "192.0.2.1:5900"?`},
		{`screen { listen = "::1:5900" }`, `invalid listen "::1:5900": must be an address and a port, such as "127.0.0.1:5900"`, `*`},
		{`screen { listen = "localhost:5900" }`, `invalid listen "localhost:5900": must be a numeric address, not a name`, `did you mean "127.0.0.1:5900"?`},
		{`screen { listen = "host.example:5900" }`, `invalid listen "host.example:5900": "host.example" is not a numeric address`, ``},
		{`screen { listen = "127.0.0.1:0" }`, `invalid listen "127.0.0.1:0": the port must be a number from 1 to 65535`, ``},
		{`screen { listen = "127.0.0.1:65536" }`, `invalid listen "127.0.0.1:65536": the port must be a number from 1 to 65535`, ``},
		{`screen { listen = "[fe80::1%em0]:1" }`, `invalid listen "[fe80::1%em0]:1": addresses with a zone are not supported`, ``},
		{`clock {}`, `invalid clock block: needs start`, `add start = "2026-01-02T03:04:05Z"`},
		{`clock { offset = 3 }`, `invalid offset 3: needs a unit`, `did you mean "3h"?`},
		{`clock { offset = "yesterday" }`, `invalid offset "yesterday": must be a time such as "-72h" or "90m"`, ``},
		{`clock { offset = "-999999h" }`, `invalid offset "-999999h": must be at most "400000h", either way`, ``},
		{"clock {\nstart = \"2026-01-02T03:04:05Z\"\noffset = \"1h\"\n}", `invalid offset: cannot be combined with start`, ``},
		{`clock { start = "soon" }`, `invalid start "soon": must be a time such as "2026-01-02T03:04:05Z"`, ``},
		{`clock { start = 5 }`, `invalid start 5: must be a time such as "2026-01-02T03:04:05Z"`, ``},
		{`clock { start = "0001-01-01T00:00:00Z" }`, `invalid start "0001-01-01T00:00:00Z": must be a time from 1980 to 2099, which is what a PC's clock holds`, ``},
		{`identity { product = "a,b" }`, `invalid product "a,b": must be printable ASCII characters without comma and percent sign`, ``},
		{`identity { product = "100%" }`, `invalid product "100%": must be printable ASCII characters without comma and percent sign`, ``},
		{`identity { serial = "" }`, `invalid serial "": must not be empty`, ``},
		{`identity { disk_serial = "1234567890123456789" }`, `invalid disk_serial "1234567890123456789": has 19 characters, at most 18 are allowed`, ``},
		{`identity { uuid = "1" }`, `invalid uuid "1": must be a UUID such as "5ed0a5f2-0d5c-4c1b-9b5e-2f6d6c1d7a10"`, ``},
		{`identity { mac_oui = "00:1b" }`, `invalid mac_oui "00:1b": must be the first half of an Ethernet address, such as "00:1b:21"`, ``},
		{`identity { mac_oui = "01:1b:21" }`, `invalid mac_oui "01:1b:21": is the beginning of a group's address: the second digit must be even`, ``},
		{`gdb {}`, `invalid gdb block: needs listen`, `add listen = "127.0.0.1:1234"`},
		{"screen { listen = \"127.0.0.1:1\" }\ngdb { listen = \"127.0.0.1:1\" }", `invalid listen: already used by the screen on line 2`, ``},
		{`console { device = "/dev/ttyu0" }`, `invalid device "/dev/ttyu0": must be the guest's end of a null modem, /dev/nmdm…A`, ``},
		{`console { device = "/dev/nmdm0B" }`, `invalid device "/dev/nmdm0B": must be the guest's end of a null modem, /dev/nmdm…A`, `the host uses the B end; did you mean "/dev/nmdm0A"?`},
		{`console { device = "/dev/nmdm0" }`, `invalid device "/dev/nmdm0": must be the guest's end of a null modem, /dev/nmdm…A`, `did you mean "/dev/nmdm0A"?`},
		{`console { device = "/dev/nmdm*A" }`, `invalid device "/dev/nmdm*A": must be the guest's end of a null modem, /dev/nmdm…A`, ``},

		// The jail.
		{`jail { network = "shared" }`, `invalid network "shared": needs ip4 or ip6`, `add ip4 = ["192.0.2.1"] with one of this host's addresses`},
		{"jail {\nnetwork = \"shared\"\nip4 = []\n}", `invalid network "shared": ip4 and ip6 are empty`, ``},
		{`jail { ip4 = ["192.0.2.1"] }`, `invalid ip4: the jail has no network`, `add network = "shared"`},
		{"jail {\nnetwork = \"vnet\"\nip6 = [\"::1\"]\n}", `invalid ip6: a vnet jail does not use addresses of the host`, `leave it out, or use network = "shared"`},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"::1\"]\n}", `invalid ip4 "::1": not an IPv4 address`, `it belongs in ip6`},
		{"jail {\nnetwork = \"shared\"\nip6 = [\"x\"]\n}", `invalid ip6 "x": not an IPv6 address`, ``},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"192.0.2.1/33\"]\n}", `invalid ip4 "192.0.2.1/33": the number after / is not a prefix length of an IPv4 address`, ``},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"0.0.0.0\"]\n}", `invalid ip4 "0.0.0.0": not an address that a host can have`, ``},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"em0|192.0.2.1\"]\n}", `invalid ip4 "em0|192.0.2.1": must be an address that the host has, without an interface`, `did you mean "192.0.2.1"?`},
		{"jail {\nnetwork = \"shared\"\nip4 = [\"192.0.2.1\"]\n}\nscreen { listen = \"127.0.0.1:5900\" }", `invalid listen "127.0.0.1:5900": the jail only has the address 192.0.2.1`, `did you mean "192.0.2.1:5900"?`},
		{`jail { root = "/" }`, `invalid root "/": must not be the host's own root directory`, ``},
		{`jail { root = "../.." }`, `invalid root "../..": must not be the host's own root directory`, ``},
		{`jail { root = "/` + strings.Repeat("a", 88) + `" }`, `invalid root "/` + strings.Repeat("a", 37) + `…: the path has 89 characters, at most 88 are allowed for mounts of a jail`, ``},
		{`jail { allow_missing = ["landlok"] }`, `invalid allow_missing "landlok": the jail has no such layer`, `did you mean "landlock"?`},
		{`jail { allow_missing = ["magic"] }`, `invalid allow_missing "magic": the jail has no such layer`, `the layers are landlock, seccomp`},
		{`share "s" {}`, `invalid share block: needs path`, `add path = "/srv/share"`},
		{`share "s" { path = "/" }`, `invalid path "/": must not be the root directory, which would share the whole host`, `share a directory below it`},
		{`passthru "p" {}`, `invalid passthru block: needs pci`, `add pci = "3/0/0"`},
		{`passthru "p" { pci = "pci0:3:0:0" }`, `invalid pci "pci0:3:0:0": must be "bus/slot/function", such as "3/0/0"`, `did you mean "3/0/0"?`},
		{`passthru "p" { pci = "3/0/8" }`, `invalid pci "3/0/8": bus, slot and function must be numbers up to 255, 31 and 7`, ``},
		{"passthru \"p\" { pci = \"3/0/1\" }\npassthru \"q\" { pci = \"3/0/1\" }", `invalid pci: already used by another passthru on line 2`, ``},
		{`hypervisor { args = [""] }`, `invalid args "": must not be empty`, ``},
		{`hypervisor { args = ["a\nb"] }`, `invalid args "a\nb": must not contain control or invisible characters`, ``},

		// Form.
		{`memory = 16G`, `cannot read this line: text must be in quotes`, `did you mean "16G"?`},
		{`stop_timeout = 90s`, `cannot read this line: text must be in quotes`, `did you mean "90s"?`},
		{`disk "d" { file = /a/b }`, `cannot read this line: text must be in quotes`, `did you mean "/a/b"?`},
		{"cpus = 1\ncpus = 2", `cpus is set twice in this block`, `keep one of the two`},
		{`jail { network = "shared"  ip4 = ["192.0.2.1"] }`, `cannot read this block: a block on one line can hold only one attribute`, `put each attribute on its own line, without commas`},
		{`bridge "b" { create = true, uplink = "em0" }`, `cannot read this block: a block on one line can hold only one attribute`, `put each attribute on its own line, without commas`},
		{`cpus = 1, memory = "1G"`, `cannot read this line: attributes are not separated by commas`, `put each attribute on its own line`},
		{`cpus = 1 memory = "1G"`, `cannot read this line: unexpected text after the value`, `put each attribute on its own line, without commas`},
		{`cpus`, `cannot read this line: expected name = value or a block`, ``},
		{`cpus: 1`, `cannot read this line: expected name = value or a block`, ``},
		{`boot = 'uefi'`, `cannot read this line: text must be in double quotes`, ``},
		{`boot = "uefi`, `cannot read this text: the closing quote is missing`, ``},
		{`cpus =`, `cannot read this line: a value is missing`, ``},
		{"cpus = \n boot = \"uefi\"", `cannot read this line: a value is missing`, ``},
		{"disk \"d\" { file = \"a\"\n}", `cannot read this block: a block that starts on one line must end on it`, `start a new line after {`},
		{"disk \"d\" {\nfile = \"a\" }", `cannot read this line: the closing } must be on its own line`, ``},
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
		`cell {}`:                      `x:1:1: invalid cell block: needs a name`,
		`cell "a" "b" {}`:              `x:1:10: invalid cell "b": must have one name only`,
		"cell \"a\" {}\ncell \"b\" {}": `x:2:1: invalid second cell block: the first is on line 1`,
		`cell "a.b" {}`:                `x:1:6: invalid name "a.b": must not contain a dot, which would make a jail within a jail`,
		`cell "../a" {}`:               `x:1:6: invalid name "../a": must start with a letter`,
		`cell "a/b" {}`:                `x:1:6: invalid name "a/b": must consist of letters, digits, - and _`,
		`cell "a\nb" {}`:               `x:1:6: invalid name "a\nb": must consist of letters, digits, - and _`,
		`cell "é" {}`:                  `x:1:6: invalid name "é": must start with a letter`,
		`cell "` + strings.Repeat("a", 200) + `" {}`: `x:1:6: invalid name "` + strings.Repeat("a", 38) + `…: has 200 characters, at most 32 are allowed`,
		`cpus = 1`:               `x:1:1: invalid cpus: must be inside a cell block`,
		`disk "d" {}`:            `x:1:1: invalid disk: a file may contain one cell block and nothing else`,
		`cel "d" {}`:             `x:1:1: invalid cel: a file may contain one cell block and nothing else`,
		`cell "a" {`:             `x:1:10: cannot read this block: the closing } is missing`,
		"cell \"a\" {}\n}":       `*`,
		"\x00\x01\x02":           `*`,
		"\xff\xfe":               `*`,
		"#!/bin/sh\nexit 1\n":    `*`,
		strings.Repeat("[", 300): `x:1:1: cannot read the file: brackets are nested too deeply`,
		"a = " + strings.Repeat("-", 20000) + "1": `x:1:1: cannot read the file: too long for a cell file`,
		strings.Repeat("#", maxFile+1):            `x:1:1: cannot read the file: larger than 1 MiB`,
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
