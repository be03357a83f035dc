#!/bin/sh
# One would have written from memory: "-mon chardev=…,mode=control is how QEMU gets a QMP monitor,
# and where a version deprecates an option, its replacement has been there for some releases". QEMU
# 11.1 calls -mon deprecated, on standard error at each start, and names -object monitor-qmp; 10.0,
# Debian's stable version, has no such object and exits. Between the two there is no command line that
# both take without a complaint: a program has to ask for the version first. The same is true of
# -name debug-threads=off, which 11.1 calls deprecated and 10.0 wants.
#
# Needs apt-get and dpkg-deb, a Debian mirror in apt's sources, 300 MB in /tmp for a while; no root.
# Exits 1 if the behaviour is another one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)

# fetch NAME SUITES… unpacks a release's QEMU with all that it needs; the last suite is preferred.
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
qemu() { # NAME ARGUMENTS…: with the release's own C library
	root=$dir/$1/root; shift
	"$root"/usr/lib64/ld-linux-x86-64.so.2 --library-path "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" "$root/usr/bin/qemu-system-x86_64" \
		-nodefaults -display none -machine none -no-user-config -chardev stdio,id=qmp "$@"
}
# start NAME ARGUMENTS… greets over QMP and quits; what QEMU complains of is in "said".
start() {
	status=0
	printf '{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n' | qemu "$@" >out 2>said || status=$?
	sed 's/^[^ ]*qemu-system-x86_64: //' said | sort -u
}
fail=0
expect() { # STATUS PATTERN: how the last start ended, and what it complained of; "" for nothing
	if [ "$status" != "$1" ] || { [ -n "$2" ] && ! grep -q "$2" said; } || { [ -z "$2" ] && [ -s said ]; }; then
		echo "not as it was: exit $status"
		fail=1
	fi
}
old="-mon chardev=qmp,mode=control -name debug-threads=off"
fetch stable trixie
fetch new trixie trixie-backports
for name in stable new; do qemu $name --version | head -n 1; done
echo "== 10.0, the usual way"
start stable $old
expect 0 ""
echo "== 11.1, the usual way"
start new $old
expect 0 "deprecated"
echo "== 11.1, the way that it names"
start new -object monitor-qmp,id=monitor,chardev=qmp
expect 0 ""
echo "== 10.0, that way"
start stable -object monitor-qmp,id=monitor,chardev=qmp
expect 1 "monitor-qmp"
exit $fail
