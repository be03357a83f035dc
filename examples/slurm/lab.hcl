# One specimen: a guest that starts from an image of the node, writes what it has to show to its results disk,
# and leaves nothing of itself. 200 of them are one array job: see lab.sbatch.
cell "lab" {
  cpus         = 1
  memory       = "1G"
  boot         = "uefi"
  stop_timeout = "20s"
  time_limit   = "5m"

  # The same image is on each node, by the same name and digest.
  disk "root" {
    image      = "debian-13"
    disposable = true
  }

  results "out" {
    size = "256M"
  }
}
