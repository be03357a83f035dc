# A batch job of Nomad that runs the cell lab: nomad job run FILE. Its clients allow raw_exec.
# client { max_kill_timeout = "55s" } or more in their configuration.
# Nomad has no limit of time for a job: time_limit of the cell file is kept by skep.
job "lab" {
  type = "batch"
  group "lab" {
    count = 1
    restart {
      attempts = 3
      delay    = "30s"
      mode     = "fail"
    }
    task "lab" {
      driver       = "raw_exec"
      kill_signal  = "SIGTERM"
      kill_timeout = "55s"
      config {
        command = "/usr/bin/skep"
        args    = ["run", "--job", "--rm", "--grace", "55s", "/srv/cells of the lab/lab.hcl"]
      }
      resources {
        cores  = 2
        memory = 2368
      }
    }
  }
  constraint {
    attribute = "${meta.kvm}"
    value     = "true"
  }
}
