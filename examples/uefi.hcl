# Needs: 2G of memory; directory /var/lib/vm/uefi; iso /var/lib/vm/iso/install.iso; bridge bridge0; UEFI firmware.
#
# A system installed from an ISO image through UEFI, on either host. The disk is
# made when it is missing. Once the system is installed, remove the cd.

cell "uefi" {
  cpus   = 2
  memory = "2G"
  boot   = "uefi"

  disk "system" {
    file = "/var/lib/vm/uefi/system.img"
    size = "20G"
  }
  disk "cd" {
    iso = "/var/lib/vm/iso/install.iso"
  }

  # The host's bridge has to be there: skep leaves it as it is.
  nic "lan" {
    bridge = "bridge0"
  }

  # Without listen, the screen is on a UNIX socket that only its owner can open.
  screen {
    width  = 1280
    height = 800
  }

  restart      = "on-crash"
  stop_timeout = "2m"
}
