# Mistakes of form do not hide the others.
cell "form" {
  memory = 16G
  jail { network = "shared"  ip4 = ["192.0.2.1"] }
  bridge "bridge0" { create = true, uplink = "em0" }
  cpus = 1000
  boot = "uefi
  accel = kvm
}
