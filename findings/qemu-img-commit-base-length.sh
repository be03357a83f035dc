#!/bin/sh
# One would have written from memory: "an overlay has the size of its base, and qemu-img commit writes
# the changed clusters back and leaves the base as long as it was". Where a raw base is no multiple of
# 512 bytes long, its overlay is rounded up to one, the guest reads zeros behind the end, and commit
# makes the base file longer, though what lies behind the old end was never written to. So the digest
# of a base that was used so changes beyond what the guest wrote.
#
# Needs apt-get, dpkg-deb and the libraries of Debian's qemu-utils. Exits 1 if the behaviour is another
# one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq qemu-utils=1:7.2+dfsg-7+deb12u18+b3 >/dev/null 2>&1
dpkg-deb -x ./qemu-utils_*.deb root
PATH=$dir/root/usr/bin:$PATH
qemu-img --version | head -n 1
length() { wc -c <"$1" | tr -d ' '; }
fail=0
for bytes in 1000 1024; do
	rm -f base over
	head -c $bytes /dev/zero >base
	qemu-img create -q -f qcow2 -b base -F raw over
	qemu-io -c 'write -q -P 7 0 512' over
	size=$(qemu-img info --output=json over | sed -n 's/.*"virtual-size": \([0-9]*\).*/\1/p' | tail -n 1)
	before=$(length base)
	qemu-img commit -q over
	echo "a base of $before bytes: its overlay has $size; after commit the base has $(length base)"
	[ "$before $size $(length base)" = "$bytes 1024 1024" ] || fail=1
done
exit $fail
