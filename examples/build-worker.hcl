# Needs: 8G of memory; image /var/lib/vm/build-worker/image.img; pool tank/bhyve; bridge lab0 (of the router example); UEFI firmware.
#
# A worker of a build farm: it runs other people's build scripts, reaches the
# network through the router's cell, and is set up anew each time from an image
# that it cannot change.

cell "build-worker" {
  cpus   = 8
  memory = "8G"
  boot   = "uefi"
  after  = ["router"]

  disk "image" {
    file      = "/var/lib/vm/build-worker/image.img"
    read_only = true
  }
  disk "scratch" {
    zvol     = "tank/bhyve/build-worker-scratch"
    size     = "40G"
    reserved = true # it never finds the pool full
    model    = "nvme"
  }

  nic "lab" {
    bridge = "lab0"
  }

  jail {
    limits {
      cpu = "800%"
    }
  }

  restart = "always"
}
