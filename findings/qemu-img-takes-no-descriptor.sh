#!/bin/sh
# One would have written from memory: "qemu-img opens images as QEMU does, so an image that is open already
# is given to it as /dev/fdset/N, or by -add-fd". It knows the name and has no descriptor sets: the open
# fails with "Could not dup FD … Function not implemented", and there is no -add-fd. /proc/self/fd/N does
# work, but that opens the file anew: somebody who may not open the file, though he has it open, is
# refused. So a qemu-img that is to have no right on a file cannot be handed it without help from outside.
#
# Needs apt-get, dpkg-deb and the libraries of Debian's qemu-utils; as root it also tries another user.
# Exits 1 if the behaviour is another one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
cd "$dir"
apt-get download -qq qemu-utils=1:7.2+dfsg-7+deb12u18+b3 >/dev/null 2>&1
dpkg-deb -x ./qemu-utils_*.deb root
img=$dir/root/usr/bin/qemu-img
"$img" --version | head -n 1
"$img" create -q -f qcow2 disk 1M
chmod 600 disk
exec 5<disk
fail=0
says() { # WHAT EXPECTED COMMAND…
	what=$1 expected=$2
	shift 2
	out=$("$@" 2>&1) && out="works" || true
	echo "$what: $(echo "$out" | head -n 1)"
	case $out in *"$expected"*) ;; *) fail=1 ;; esac
}
says "/dev/fdset/5" "Function not implemented" "$img" info /dev/fdset/5
says "-add-fd" "unrecognized option" "$img" info --add-fd fd=5,set=5 /dev/fdset/5
says "/proc/self/fd/5" "works" "$img" info /proc/self/fd/5
if [ "$(id -u)" = 0 ]; then
	says "/proc/self/fd/5 as nobody, who has it open" "Permission denied" \
		setpriv --reuid 65534 --regid 65534 --clear-groups "$img" info /proc/self/fd/5
fi
exit $fail
