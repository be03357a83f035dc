# What people write first.
vm "laptop" {
  cpu = 4
}
cell "laptop" {
  cpu    = 4
  mem    = "16g"
  vnc    = true
  uefi   = true
  image  = "/vm/laptop.img"
  jail {
    ip     = "192.168.1.2"
    limits = { cpu = 100 }
  }
}
