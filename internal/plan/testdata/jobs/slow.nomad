# A batch job of Nomad that runs the cell slow: nomad job run FILE. Its clients allow raw_exec.
# client { max_kill_timeout = "721s" } or more in their configuration.
job "slow" {
  type = "batch"
  group "slow" {
    count = 1
    restart {
      attempts = 3
      delay    = "30s"
      mode     = "fail"
    }
    task "slow" {
      driver       = "raw_exec"
      kill_signal  = "SIGTERM"
      kill_timeout = "721s"
      config {
        command = "/usr/bin/skep"
        args    = ["run", "--job", "--rm", "--grace", "721s", "/srv/cells of the lab/slow.hcl"]
      }
      resources {
        cores  = 1
        memory = 384
      }
    }
  }
}
