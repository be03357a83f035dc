#!/bin/sh
# One would have written from memory: "an image that one of QEMU's programs has
# open for writing is locked: qemu-img info and a second writer are refused". That
# is so of a qcow2. Of a raw image, qemu-img info and qemu-io -r take no lock and
# look at none, so nobody can keep them off; and two qemu-io write to it at once,
# for a writer of a raw image without a guest device shares the right to write.
# A program that wants to know whether a raw image is in use cannot ask that way.
#
# Needs apt-get, dpkg-deb and the libraries of Debian's qemu-utils. Exits 1 if
# the behaviour is another one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq qemu-utils=1:7.2+dfsg-7+deb12u18+b3 >/dev/null 2>&1
dpkg-deb -x ./qemu-utils_*.deb root
PATH=$dir/root/usr/bin:$PATH
qemu-img --version | head -n 1
qemu-img create -q -f raw a.img 8M
qemu-img create -q -f qcow2 b.qcow2 8M
fail=0
for image in a.img b.qcow2; do
	format=${image#*.}
	[ $format = qcow2 ] || format=raw
	echo "== $format, while another program has it open for writing"
	{ echo length; sleep 5; } | qemu-io -f $format $image >opened &
	until grep -q MiB opened 2>/dev/null; do sleep 0.1; done
	grep -h -o 'OFDLCK.*' /proc/"$(pgrep -nf "qemu-io -f $format $image")"/fdinfo/*
	if qemu-img info $image 2>err; then
		[ $format = raw ] || fail=1
	else
		cat err
		[ $format = qcow2 ] && grep -q 'Failed to get shared "write" lock' err || fail=1
	fi
	if qemu-io -f $format -c 'write 0 512' $image 2>err; then
		[ $format = raw ] || fail=1
	else
		cat err
		[ $format = qcow2 ] && grep -q 'Failed to get "write" lock' err || fail=1
	fi
	wait
done
exit $fail
