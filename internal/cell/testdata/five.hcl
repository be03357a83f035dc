# Five mistakes at once, and all of them are reported.
cell "five" {
  cpus   = 0
  memory = 16
  memry  = "1G"

  disk "disk-01" {
    file = "disk.img"
    zvol = "tank/disk-01"
  }
  nic "lan" {
    bridge = "bridge0"
    mac    = "01:00:5e:00:00:01"
  }
}
