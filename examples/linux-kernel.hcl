# Needs: a Linux host; kernel /boot/vmlinuz; initrd /boot/initrd.img; image /var/lib/vm/linux-kernel/root.img.
#
# A Linux kernel booted directly, without firmware or boot loader. Linux hosts
# only: bhyve(8) boots firmware, and bhyveload(8) boots FreeBSD.
#
# On Debian, the package linux-image-cloud-amd64 has a kernel that fits, and its
# own initramfs will look for the root file system that cmdline names.

cell "linux-kernel" {
  cpus   = 2
  memory = "1G"

  kernel {
    image   = "/boot/vmlinuz"
    initrd  = "/boot/initrd.img"
    cmdline = "console=ttyS0 root=/dev/vda1 ro"
  }

  disk "root" {
    file = "/var/lib/vm/linux-kernel/root.img"
  }
}
