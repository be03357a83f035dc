# A batch job of Nomad that runs the cell hello: nomad job run FILE. Its clients allow raw_exec.
# client { max_kill_timeout = "40s" } or more in their configuration.
job "hello" {
  type = "batch"
  group "hello" {
    count = 1
    restart {
      attempts = 3
      delay    = "30s"
      mode     = "fail"
    }
    task "hello" {
      driver       = "raw_exec"
      kill_signal  = "SIGTERM"
      kill_timeout = "40s"
      config {
        command = "/usr/bin/skep"
        args    = ["run", "--job", "--rm", "--grace", "40s", "/srv/cells of the lab/hello.hcl"]
      }
      resources {
        cores  = 1
        memory = 384
      }
    }
  }
}
