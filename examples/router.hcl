# Needs: image /var/lib/vm/router/system.img; uplink em1; UEFI firmware.
#
# A router in a cell: one card towards the world, one towards a network that
# exists on this host only. It starts before the cells that name it in after.

cell "router" {
  memory = "512M"
  boot   = "uefi"

  disk "system" {
    file      = "/var/lib/vm/router/system.img"
    read_only = true # its configuration is on the other disk
  }
  disk "config" {
    file = "/var/lib/vm/router/config.img"
    size = "64M"
  }

  # The mac is what the provider knows; that of the other card follows from the
  # names of cell and card.
  nic "wan" {
    bridge = "wan0"
    mac    = "02:00:5e:10:00:01"
  }
  nic "lab" {
    bridge = "lab0"
  }

  bridge "wan0" {
    create = true
    uplink = "em1"
  }

  # No uplink: nothing leaves it but through the router.
  bridge "lab0" {
    create = true
  }

  start   = "boot"
  restart = "always"
  restart_limit {
    starts = 10
    within = "1h"
  }
}
