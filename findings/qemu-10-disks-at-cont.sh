#!/bin/sh
# One would have written from memory: "once query-migrate says completed, the QEMU that read the state has taken
# over the disks, whether its guest runs yet or not; cont only starts the processors". So it is with QEMU 7.2. With
# QEMU 10.0 and newer a destination that was started with -S has no disk yet: it holds no lock on the image and its
# nodes are not active. That comes with cont, which then opens, measures and locks, or with the command
# blockdev-set-active, which is new in 10.0. Whoever takes calls or files from QEMU between the two meets that.
#
# Needs apt-get, dpkg-deb and python3, a Debian 12 mirror in apt's sources that has Debian 13 too, 600 MB in /tmp for a
# while; no root. Exits 1 if the behaviour is another one.
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
cat >look.py <<'END'
import glob, json, os, subprocess, sys, time

root, image, state = sys.argv[1:]

class QEMU:
    def __init__(self, *more):
        lib = "x86_64-linux-gnu"
        where = [p for p in (root + "/lib64/ld-linux-x86-64.so.2", root + "/usr/lib64/ld-linux-x86-64.so.2",
                             root + "/usr/lib/" + lib + "/ld-linux-x86-64.so.2", root + "/lib/" + lib + "/ld-linux-x86-64.so.2") if os.path.isfile(p)][0]
        self.argv = [where, "--library-path", root + "/usr/lib/" + lib + ":" + root + "/lib/" + lib, root + "/usr/bin/qemu-system-x86_64"]
        self.p = subprocess.Popen(self.argv + ["-L", root + "/usr/share/seabios", "-L", root + "/usr/share/qemu", "-nodefaults", "-no-user-config",
            "-display", "none", "-m", "16", "-accel", "tcg", "-S", "-chardev", "stdio,id=q", "-mon", "chardev=q,mode=control",
            "-blockdev", "driver=file,node-name=d,filename=" + image, "-device", "virtio-blk-pci,drive=d", *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ, QEMU_MODULE_DIR=root + "/usr/lib/" + lib + "/qemu"))
        self.version = json.loads(self.p.stdout.readline())["QMP"]["version"]["qemu"]
        self.ask("qmp_capabilities")
    def ask(self, command, **arguments):
        self.p.stdin.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.p.stdin.flush()
        while True:
            said = json.loads(self.p.stdout.readline())
            if "return" in said or "error" in said:
                return said.get("return", said.get("error"))
    def moved(self):
        while self.ask("query-migrate").get("status") != "completed":
            time.sleep(0.05)
    def locks(self):
        n = 0
        for fd in glob.glob("/proc/%d/fd/*" % self.p.pid):
            try:
                if os.readlink(fd) == image:
                    n += sum(line.startswith("lock:") for line in open(fd.replace("/fd/", "/fdinfo/")))
            except OSError:
                pass
        return n > 0
    def end(self):
        self.ask("quit")
        self.p.wait()

source = QEMU()
source.ask("migrate", uri="exec:cat >" + state)
source.moved()
source.end()
for by in "cont", "blockdev-set-active":
    q = QEMU("-incoming", "defer")
    q.ask("migrate-incoming", uri="exec:cat " + state)
    q.moved()
    before = q.locks()
    said = q.ask(by, active=True) if by != "cont" else q.ask(by)
    print("%d.%d" % (q.version["major"], q.version["minor"]), "completed:", "locked" if before else "not locked", "|", by + ":",
          said.get("class", "locked" if q.locks() else "not locked"))
    q.end()
END
fetch stable bookworm
fetch next trixie
truncate -s 1M disk
fail=0
for name in stable next; do
	python3 look.py "$dir/$name/root" "$dir/disk" "$dir/state" | tee seen-$name
done
printf '%s\n' "7.2 completed: locked | cont: locked" "7.2 completed: locked | blockdev-set-active: CommandNotFound" >want-stable
printf '%s\n' "10.0 completed: not locked | cont: locked" "10.0 completed: not locked | blockdev-set-active: locked" >want-next
for name in stable next; do cmp -s seen-$name want-$name || { echo "not as it was:"; cat want-$name; fail=1; }; done
exit $fail
