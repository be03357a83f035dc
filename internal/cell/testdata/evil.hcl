cell "evil" {
  # ]0;title ‮
  console { device = "[2J[31m" }
  disk "d[A" { file = "‮gmi.d" }
  ‮cpus = 1
  cmd = "31m"
}
