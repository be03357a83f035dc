#!/bin/sh
# build.sh DIR: makes the guest of examples/lab by debootstrap(8): DIR/root.img, DIR/vmlinuz and DIR/initrd.img.
# It needs root, debootstrap, e2fsprogs, some 1.5 GB and the Debian mirror.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?"where to: build.sh DIR"}
suite=${SUITE:-bookworm}
[ "$(id -u)" = 0 ] || { echo "build.sh: debootstrap needs root" >&2; exit 1; }
# The mirror is the one that this host's apt uses, unless MIRROR names one.
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)}
[ -n "$mirror" ] || { echo "build.sh: no Debian mirror is known; MIRROR names one" >&2; exit 1; }
mkdir -p "$dir"
root=$(mktemp -d "$dir/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=busybox,wget,linux-image-cloud-amd64,initramfs-tools "$suite" "$root" "$mirror"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
install -m 0755 "$here/specimen" "$root/usr/local/sbin/specimen"
echo guest >"$root/etc/hostname"
cp "$root"/boot/vmlinuz-* "$dir/vmlinuz"
cp "$root"/boot/initrd.img-* "$dir/initrd.img"
chmod 0644 "$dir/vmlinuz" "$dir/initrd.img"
rm -f "$dir/root.img"
truncate -s 1536M "$dir/root.img"
mke2fs -q -t ext4 -d "$root" "$dir/root.img"
echo "build.sh: $dir has root.img, vmlinuz and initrd.img"
