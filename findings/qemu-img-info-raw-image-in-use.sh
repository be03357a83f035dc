#!/bin/sh
# One would have written from memory: "qemu-img info of an image that a running
# QEMU has is refused: Failed to get shared "write" lock". That is so of a
# qcow2. Of a raw image it is not: qemu-img info (and qemu-io -r) take no lock of
# it and look at none, so a lock, however it is taken, cannot keep them off. A
# program that wants to know whether a raw image is in use cannot ask that way.
#
# Needs apt-get, dpkg-deb; run with a Debian that has qemu-utils and
# qemu-system-x86. Exits 1 if the behaviour is another one.
set -eu
dir=$(mktemp -d)
qemu=
trap '[ -z "$qemu" ] || kill $qemu 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
for package in qemu-utils qemu-system-x86 qemu-system-common; do
	apt-get download -qq $package >/dev/null
	dpkg-deb -x ./${package}_*.deb root
done
PATH=$dir/root/usr/bin:$PATH
export QEMU_MODULE_DIR="$dir/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)/qemu"
qemu-img --version | head -n 1
qemu-img create -q -f raw a.img 8M
qemu-img create -q -f qcow2 b.qcow2 8M
qemu-system-x86_64 -L /usr/share/seabios -L root/usr/share/qemu -L /usr/share/qemu -display none -S \
	-drive file=a.img,format=raw,if=virtio -drive file=b.qcow2,format=qcow2,if=virtio &
qemu=$!
n=0
until [ "$(grep -c OFDLCK "/proc/$qemu/fdinfo"/* 2>/dev/null | grep -vc ':0$')" -ge 2 ]; do
	n=$((n + 1)); [ $n -lt 100 ] || { echo "QEMU took no locks"; exit 1; }
	sleep 0.1
done
grep -h -o 'OFDLCK.*' /proc/$qemu/fdinfo/*
fail=0
echo "== qcow2"
if qemu-img info b.qcow2 2>err; then echo "not refused"; fail=1; fi
cat err
grep -q 'Failed to get shared "write" lock' err || fail=1
echo "== raw"
qemu-img info a.img || fail=1
qemu-io -r -f raw -c 'read 0 512' a.img || fail=1
if qemu-io -f raw -c 'write 0 512' a.img 2>err; then echo "written"; fail=1; fi
cat err
exit $fail
