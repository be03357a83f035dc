# Needs: 16G of memory; volume tank/bhyve/laptop-dev-03/disk-01; uplink em0; address 192.168.1.2; UEFI firmware.
#
# The virtual machine of "Jailing the bhyve hypervisor": a jail with an address
# of the host, a ZFS volume, a tap on a bridge, a screen over VNC, and a null
# modem for the console, which skep names after the cell.
#
# On Linux the same file uses /dev/zvol/tank/…, and network only says where the
# screen listens: the hypervisor's own network is always empty there.

cell "laptop-dev-03" {
  cpus   = 4
  memory = "16G"
  boot   = "uefi"

  disk "disk-01" {
    zvol = "tank/bhyve/laptop-dev-03/disk-01"
  }

  nic "lan" {
    bridge = "bridge0"
  }

  # What the article has in rc.conf: cloned_interfaces and ifconfig_bridge0. A
  # bridge that the host makes itself needs no block.
  bridge "bridge0" {
    create = true
    uplink = "em0"
  }

  # The address is one of the jail's. Without a password_file, everyone on that
  # network has this screen and keyboard: the audit lists it as a relaxation.
  screen {
    listen = "192.168.1.2:5901"
  }

  jail {
    network = "shared"
    ip4     = ["192.168.1.2"]
  }

  start   = "boot"
  restart = "on-crash"
}
