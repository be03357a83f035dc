#!/bin/sh
# One would have written from memory: "QMP send-key fails where the guest has no keyboard, or is
# stopped: nobody can take the key". It answers success in both cases and the key is lost.
# input-send-event, which does the same work, reports both: no input handler, and "VM not running".
# A program that wants to know whether a key was taken has to use the second.
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
key='{"type":"qcode","data":"a"}'
# ask ARGUMENTS…: both commands, one after the other, of a machine started with the arguments.
ask() {
	{
		echo '{"execute":"qmp_capabilities"}'
		sleep 1
		echo '{"execute":"send-key","arguments":{"keys":['$key']},"id":"send-key"}'
		echo '{"execute":"input-send-event","arguments":{"events":[{"type":"key","data":{"down":true,"key":'$key'}}]},"id":"input-send-event"}'
		sleep 1
		echo '{"execute":"quit"}'
	} | $qemu -L root/usr/share/qemu -L root/usr/share/seabios -nodefaults -display none -qmp stdio "$@" |
		grep '"id"' | tr -d '\r' | tee said
}
fail=0
expect() { # PATTERN: what input-send-event says
	grep -q '"return": {}.*"send-key"\|"send-key".*"return": {}' said || fail=1
	grep '"input-send-event"' said | grep -q "$1" || fail=1
}
echo "== no keyboard"
ask -machine q35,i8042=off
expect 'Input handler not found'
echo "== a keyboard, and a guest that is stopped"
ask -machine q35 -S
expect 'VM not running'
exit $fail
