# A cell: one virtual machine and the jail around its hypervisor.
#
# Only the name is required. Lines that begin with a # and no space show what
# else there is, with its default where it has one: remove the # to change it.
# skep.hcl(5) explains each of them, "skep check" finds mistakes.

cell "NAME" {
  #cpus   = 1
  #memory = "512M" # 64M for the built-in guest

  # What boots: "hello" is the built-in guest, "uefi" the host's own firmware,
  # "bios" SeaBIOS (Linux hosts), "loader" bhyveload(8) (FreeBSD hosts), and a
  # path is a firmware file. A kernel block boots a Linux kernel directly, in
  # place of boot.
  #boot = "hello"
  #secure_boot = false # true: with boot = "uefi", what is signed and nothing else (Linux hosts)
  #kernel {
  #  image   = "vmlinuz"
  #  initrd  = "initrd.img"
  #  cmdline = "console=ttyS0"
  #}
  #loader {
  #  env       = ["console=comconsole"]
  #  os        = "userboot.so"
  #  host_path = "loader"
  #}

  # How the guest's instructions run on Linux: "kvm", "tcg", or what works.
  #accel = "auto"

  # Each disk has one of file, zvol, iso, device, base and image. A size makes a
  # file or zvol that is missing.
  #disk "disk-01" {
  #  file      = "NAME.img"
  #  format    = "raw" # or "qcow2"
  #  size      = "20G"
  #  read_only = false
  #  model     = "virtio" # or "ahci", "nvme"
  #}
  #disk "disk-02" {
  #  zvol     = "tank/NAME/disk-02"
  #  size     = "20G"
  #  reserved = false
  #}
  #disk "cd" {
  #  iso = "install.iso"
  #}
  # What the guest writes to a base or an image goes into a layer of the cell's own.
  #disk "layer" {
  #  base       = "debian.qcow2"
  #  disposable = false # true: made anew at each start, gone at the end
  #}
  #disk "store" {
  #  image = "debian-13" # skep image import
  #}
  #disk "raw" {
  #  device = "/dev/ada1"
  #}

  # What the guest gets to read: files of the host, and what cloud-init asks for.
  #files "in" {
  #  paths = ["sample.bin", "tools"]
  #  as    = "iso"
  #  model = "virtio" # or "ahci", a CD
  #}
  #seed {
  #  user_data = "NAME.user-data" # or the text itself, in several lines
  #  network   = "NAME.network-config"
  #  ssh_keys  = ["ssh-ed25519 AAAA… me"]
  #  hostname  = "NAME"
  #  sinkhole_ca = true # the guest trusts its sinkhole
  #}
  #seed {
  #  meta_data = "NAME.meta-data"
  #}

  # What the guest writes for the host to read: skep results NAME DIR.
  #results "out" {
  #  size   = "256M"
  #  format = "tar"    # or "fat", "ext4"
  #  model  = "virtio" # or "ahci", "nvme"
  #}

  # Without a nic the guest has no network, and neither has its jail.
  #nic "lan" {
  #  bridge = "bridge0"
  #  mac    = "02:00:00:00:00:01" # made from the names unless given
  #  model  = "virtio"            # or "e1000"
  #  vlan     = 20                # on Linux: of the bridge
  #  isolated = true              # no other isolated card on the bridge hears it
  #  rate_in  = "10M"             # bytes a second to the guest, on Linux
  #  rate_out = "10M"             # and from it
  #}
  #nic "own" {
  #  tap = "tap0"
  #}
  #nic "some" {
  #  network = "user" # leads to what is allowed, and nowhere else
  #  allow   = ["deb.example:443", "192.0.2.0/24:53/udp"]
  #}
  #nic "cells" {
  #  network = "lab" # leads to the other cells on its segment
  #  segment = "lab"
  #}
  #nic "nowhere" {
  #  network      = "sinkhole" # answers every name and connection, and leads nowhere
  #  dns          = { "example.org" = "198.18.0.9" }
  #  capture      = true # skep capture NAME FILE
  #  capture_size = "64M"
  #  answer "http" {
  #    file = "NAME.html"
  #  }
  #}
  #bridge "bridge0" {
  #  create = false
  #  uplink = "em0" # with create = true
  #}

  # The screen, over VNC: on a UNIX socket unless listen names an address.
  #screen {
  #  listen        = "127.0.0.1:5900"
  #  width         = 1024
  #  height        = 768
  #  password_file = "NAME.password"
  #  wait          = false
  #}

  # The serial console is always there and always logged.
  #console {
  #  log_size = "1M"
  #  device   = "/dev/nmdm-NAME-A"
  #}

  # When it runs.
  #start        = "manual" # or "boot", and then after these cells
  #after        = []
  #restart      = "never" # or "on-crash", "always"
  #stop_timeout = "30s"
  #time_limit   = "5m"
  #on_event     = "/usr/local/libexec/on-event"
  #evidence     = true # audits at start and end, for skep evidence
  #restart_limit {
  #  starts = 5
  #  within = "10m"
  #}

  # The jail. It needs nothing from here for most guests.
  #jail {
  #  network = "none" # or "shared" with ip4, ip6; or "vnet"
  #  ip4     = ["192.0.2.1"]
  #  ip6     = ["2001:db8::1"]
  #  limits {
  #    memory_overhead = "256M"
  #    processes       = 128
  #    open_files      = 512
  #    cpu             = "100%"
  #    disk            = "20G"
  #  }
  #}

  # Relaxations: each widens the jail, and the audit shows it by name.
  #jail {
  #  root          = "/usr/jails/NAME"
  #  allow_missing = []
  #}
  #share "pub" {
  #  path      = "pub"
  #  read_only = true
  #}
  #passthru "card" {
  #  pci = "3/0/0"
  #}
  #gdb {
  #  listen = "127.0.0.1:1234"
  #  wait   = false
  #}
  # Who else of this host may do something with the cell while it runs; for cells of root.
  #access {
  #  users  = ["analyst"]
  #  groups = ["lab"]
  #  may    = ["read"] # and "console", "screen", "power"
  #}

  # A TPM 2.0 of the guest's own, by swtpm (Linux hosts). It stays.
  #tpm {
  #  model = "crb" # or "tis"
  #}

  # What the machine calls itself, and its clock; cpu_name and clock on Linux hosts.
  #identity {
  #  manufacturer = "Example Inc."
  #  product      = "Desktop 5"
  #  serial       = "EX-1"
  #  uuid         = "5ed0a5f2-0d5c-4c1b-9b5e-2f6d6c1d7a10"
  #  disk_serial  = "D-7"
  #  mac_oui      = "00:1b:21"
  #  cpu_name     = "Example CPU 3000"
  #}
  #clock {
  #  start  = "2026-01-02T03:04:05Z"
  #  offset = "-72h" # or this
  #}
  # Clones of a template that wait to be taken by skep run --pool (Linux hosts).
  #pool "lab" {
  #  from   = "web"
  #  ready  = 4
  #  ask    = "echo there"
  #  answer = "there"
  #}
  #hypervisor {
  #  args = []
  #}
}
