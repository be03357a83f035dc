# Needs: a FreeBSD host; volume zroot/vm/freebsd; tap tap0.
#
# FreeBSD booted by bhyveload(8), without firmware. FreeBSD hosts only. The
# loader reads what the guest wrote, so it runs in the cell's jail as bhyve does.

cell "freebsd-loader" {
  cpus   = 2
  memory = "1G"
  boot   = "loader"

  loader {
    env = ["console=comconsole", "boot_serial=YES"]
  }

  disk "system" {
    zvol = "zroot/vm/freebsd"
  }

  # A tap of the admin's, as vmrun.sh takes it with -t. skep leaves it alone.
  nic "lan" {
    tap = "tap0"
  }

  # A null modem of this name, rather than one named after the cell. The host's
  # end is /dev/nmdm-freebsd-B.
  console {
    device = "/dev/nmdm-freebsd-A"
  }
}
