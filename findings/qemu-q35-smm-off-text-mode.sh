#!/bin/sh
# One would have written from memory: "smm=off takes system management mode from a q35 board, which only
# Secure Boot misses; the screen has nothing to do with it". With QEMU 10.0.2 (Debian 12's backports) a q35
# board with smm=off never shows VGA's text mode: SeaBIOS sets the mode, the picture is 720 by 400, and all
# that is written to it is lost; the pc board with smm=off and q35 with smm=on show the text. QEMU 7.2, in the
# same release, shows it in each case, and so do 10.0.13 and 11.1. Linear frame buffers (UEFI) are not affected.
#
# Needs apt-get, dpkg-deb and python3, a Debian 12 mirror in apt's sources, 300 MB in /tmp for a while; no root.
# Exits 1 if the behaviour is another one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)

# fetch NAME SUITES… unpacks a QEMU with all that it needs; the last suite is preferred.
fetch() {
	name=$1; shift
	mkdir -p "$name/lists/partial" "$name/archives/partial" "$name/root"
	for suite; do echo "deb $mirror $suite main"; done >"$name/sources.list"
	: >"$name/status"
	apt() {
		apt-get -qq -o Dir::Etc::SourceList="$dir/$name/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$dir/$name/lists" \
			-o Dir::Cache::Archives="$dir/$name/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dir::State::Status="$dir/$name/status" \
			-o Acquire::Check-Valid-Until=false -o Debug::NoLocking=true -o APT::Sandbox::User=root "$@" </dev/null >"$name/log" 2>&1 ||
			{ cat "$name/log" >&2; exit 2; }
	}
	apt update
	apt -y --download-only --no-install-recommends -t "$suite" install qemu-system-x86
	for deb in "$name"/archives/*.deb; do dpkg-deb -x "$deb" "$name/root"; done
	rm -f "$name"/archives/*.deb
}
# colours NAME ARGUMENTS… of the picture once the firmware has found nothing to boot.
colours() {
	root=$dir/$1/root; shift
	rm -f picture
	{
		echo '{"execute":"qmp_capabilities"}'
		sleep 12
		echo '{"execute":"screendump","arguments":{"filename":"picture"}}'
		sleep 2
		echo '{"execute":"quit"}'
	} | QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" "$root"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" \
		"$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/seabios" -L "$root/usr/share/qemu" -nodefaults -no-user-config \
		-display none -m 64 -accel tcg -vga std -chardev stdio,id=qmp -mon chardev=qmp,mode=control "$@" >/dev/null
	python3 -c 'b = open("picture", "rb").read(); print(b[3:10].decode(), len({b[i:i + 3] for i in range(15, len(b), 3)}))'
}
fail=0
look() { # EXPECTED NAME ARGUMENTS…
	want=$1; shift
	seen=$(colours "$@")
	echo "$*: width, height, colours: $seen"
	[ "$seen" = "$want" ] || { echo "not as it was: $want"; fail=1; }
}
fetch stable bookworm
fetch backports bookworm bookworm-backports
for name in stable backports; do
	root=$dir/$name/root
	"$root"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" \
		"$root/usr/bin/qemu-system-x86_64" --version | head -n 1
done
look "720 400 2" stable -machine q35,smm=off
look "720 400 1" backports -machine q35,smm=off
look "720 400 2" backports -machine q35,smm=on
look "720 400 2" backports -machine pc,smm=off
exit $fail
