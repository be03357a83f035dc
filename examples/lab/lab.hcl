# Needs: what examples/lab/build.sh makes, in /var/lib/vm/lab.
# A cell for specimens: nothing it does leaves, nothing of it stays but the evidence.
# docs/lab.md walks through it: skep run lab@1 --time-limit 60s
cell "lab" {
  memory = "512M"

  kernel {
    image   = "/var/lib/vm/lab/vmlinuz"
    initrd  = "/var/lib/vm/lab/initrd.img"
    cmdline = "console=ttyS0 quiet root=/dev/vda rw init=/usr/local/sbin/specimen"
  }

  # Read from the image, and written to a layer of this run's own.
  disk "root" {
    base = "/var/lib/vm/lab/root.img"
  }

  # A network that leads nowhere: every name and every connection is answered, and written down.
  nic "lan" {
    network = "sinkhole"
    capture = true
  }

  screen {}

  evidence     = true
  time_limit   = "5m"
  stop_timeout = "5s"
}
