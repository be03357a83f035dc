#!/bin/sh
# One would have written from memory: "with -snapshot QEMU writes to temporary files, whatever disks it
# has". It does for -drive only. A disk given by -blockdev, which is what programs use, is written to
# itself, and QEMU says nothing: neither an error nor a warning.
#
# Needs apt-get, dpkg-deb and the libraries of Debian's qemu-system-x86. Exits 1 if the behaviour is
# another one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
v=1:7.2+dfsg-7+deb12u18
apt-get download -qq qemu-system-x86=$v+b3 qemu-system-common=$v+b3 qemu-system-data=$v seabios=1.16.2-1 >/dev/null 2>&1
for deb in ./*.deb; do dpkg-deb -x "$deb" root; done
qemu=root/usr/bin/qemu-system-x86_64
$qemu --version | head -n 1
# write NODE ARGUMENTS…: a pattern to the first sector of a node, from the monitor.
write() {
	node=$1; shift
	{
		echo '{"execute":"qmp_capabilities"}'
		sleep 1
		echo '{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io '"$node"' \"write -P 7 0 512\""}}'
		sleep 1
		echo '{"execute":"quit"}'
	} | $qemu -L root/usr/share/qemu -L root/usr/share/seabios -nodefaults -display none -S -machine q35 -snapshot -qmp stdio "$@" >out 2>said
	grep -q 'error\|rror:' out && cat out
	[ ! -s said ] || { echo "QEMU said:"; cat said; }
}
first() { od -An -tx1 -N1 "$1" | tr -d ' '; }
truncate -s 1M drive blockdev
write drive0 -drive file=drive,format=raw,if=none,id=drive0
write node0 -blockdev driver=file,node-name=file0,filename=blockdev -blockdev driver=raw,node-name=node0,file=file0
echo "with -snapshot, after a write of 07: the file behind -drive begins with $(first drive), the one behind -blockdev with $(first blockdev)"
[ "$(first drive)" = 00 ] && [ "$(first blockdev)" = 07 ] && [ ! -s said ]
