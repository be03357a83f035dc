package plan

import (
	"fmt"
	"strings"
	"time"

	"skep/internal/cell"
)

// JobForms are the forms of As that hand a cell to a batch system or a service manager.
var JobForms = []string{"sbatch", "condor", "nomad", "systemd"}

// ownMemory is what skep itself needs in a job beside its guest: some forty megabytes.
const ownMemory = 64 * cell.MiB

// stopMargin is what a batch system waits beyond stop_timeout, for what is released then.
const stopMargin = 10 * time.Second

// asJob is what the forms are made of.
type asJob struct {
	c      *cell.Cell
	memory int64         // MiB
	stop   time.Duration // between SIGTERM and SIGKILL
	limit  time.Duration // 0: none
	file   string
}

// as writes a cell as a job. What it needs follows from the cell alone, so that any machine can write it.
func (c asJob) as(form string) string {
	switch form {
	case "sbatch":
		return c.sbatch()
	case "condor":
		return c.condor()
	case "nomad":
		return c.nomad()
	}
	return c.systemd()
}

func jobOf(c *cell.Cell) asJob {
	j := asJob{c: c, stop: (c.StopTimeout + stopMargin).Round(time.Second), file: c.File}
	// A sixth of what the system waits is kept for what is released after the guest.
	j.stop = max(j.stop, (c.StopTimeout*6/5 + time.Second).Round(time.Second))
	all := int64(c.Memory + c.Jail.Limits.MemoryOverhead + ownMemory)
	j.memory = (all + int64(cell.MiB) - 1) / int64(cell.MiB)
	if c.TimeLimit > 0 {
		j.limit = c.TimeLimit + j.stop + time.Minute
	}
	if j.file == "" {
		j.file = c.Name
	}
	return j
}

// kvm says whether the job needs a host with KVM, and whether it would be better with it.
func (c asJob) kvm() (needs, likes bool) {
	return c.c.Accel == cell.AccelKVM, c.c.Accel == cell.AccelAuto
}

// images are those that have to be on the node.
func (c asJob) images() (names []string) {
	for _, d := range c.c.Drives() {
		if d.Image != "" {
			names = append(names, d.Image)
		}
	}
	return names
}

// comment is the comment at the top of a form.
func comment(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("# " + cell.Printable(l) + "\n")
	}
	return b.String()
}

func (c asJob) sbatch() string {
	var b strings.Builder
	b.WriteString("#!/bin/bash\n")
	b.WriteString(comment(
		"A job of Slurm that runs the cell "+c.c.Name+": sbatch FILE, or sbatch --array=1-50 FILE for one cell a task.",
		fmt.Sprintf("In slurm.conf(5): RequeueExit=75, KillWait=%d, Epilog with skep sweep --job \"$SLURM_JOB_ID\".", seconds(c.stop)),
	))
	say := func(format string, args ...any) { fmt.Fprintf(&b, "#SBATCH "+format+"\n", args...) }
	say("--job-name=%s", strings.ReplaceAll(c.c.Name, "@", "-"))
	say("--nodes=1")
	say("--ntasks=1")
	say("--cpus-per-task=%d", c.c.CPUs)
	say("--mem=%dM", c.memory)
	switch needs, likes := c.kvm(); {
	case needs:
		say("--gres=kvm:1")
	case likes:
		b.WriteString("##SBATCH --gres=kvm:1\n")
	}
	if c.limit > 0 {
		say("--time=%s", clock(c.limit))
	}
	say("--signal=B:TERM@%d", seconds(c.stop))
	say("--requeue")
	say("--open-mode=append")
	for _, i := range c.images() {
		fmt.Fprintf(&b, "skep image ensure --from \"${SKEP_IMAGES:-images}\" %s >/dev/null || exit 75\n", quote(i))
	}
	file := quote(c.file)
	if !strings.Contains(c.c.Name, "@") {
		file += `${SLURM_ARRAY_TASK_ID:+@$SLURM_ARRAY_TASK_ID}`
	}
	fmt.Fprintf(&b, "exec skep run --job --rm --grace %ds --results \"$SLURM_JOB_NAME-${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}\" %s </dev/null\n",
		seconds(c.stop), file)
	return b.String()
}

func (c asJob) condor() string {
	var b strings.Builder
	b.WriteString(comment(
		"A job of HTCondor that runs the cell "+c.c.Name+": condor_submit FILE. HTCondor runs no jobs of root's.",
		"queue 50 in the last line queues fifty; each has a cell of its own name.",
	))
	args := []string{"run", "--job", "--rm", "--grace", fmt.Sprintf("%ds", seconds(c.stop)), c.file}
	rows := [][2]string{
		{"universe", "vanilla"},
		{"executable", "/usr/bin/skep"},
		{"transfer_executable", "false"},
		{"arguments", condorArgs(args)},
		{"request_cpus", fmt.Sprint(c.c.CPUs)},
		{"request_memory", fmt.Sprintf("%dM", c.memory)},
		{"kill_sig", "SIGTERM"},
		{"job_max_vacate_time", fmt.Sprint(seconds(c.stop))},
		{"on_exit_remove", "(ExitBySignal == False) && (ExitCode != 75)"},
		{"output", strings.ReplaceAll(c.c.Name, "@", "-") + ".$(ClusterId).$(ProcId).out"},
		{"error", strings.ReplaceAll(c.c.Name, "@", "-") + ".$(ClusterId).$(ProcId).err"},
		{"log", strings.ReplaceAll(c.c.Name, "@", "-") + ".log"},
	}
	if needs, _ := c.kvm(); needs {
		rows = append(rows, [2]string{"requirements", "(HasKVM =?= True)"})
	}
	if c.limit > 0 {
		rows = append(rows, [2]string{"allowed_execute_duration", fmt.Sprint(seconds(c.limit))})
	}
	for _, r := range rows {
		fmt.Fprintf(&b, "%-24s = %s\n", r[0], r[1])
	}
	b.WriteString("queue 1\n")
	return b.String()
}

// condorArgs are arguments in the new syntax of condor_submit(1): in double quotes, each that has a blank or a
// quote in single ones, and both kinds of quotes doubled.
func condorArgs(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		a = strings.ReplaceAll(a, `"`, `""`)
		if strings.ContainsAny(a, " \t'") {
			a = "'" + strings.ReplaceAll(a, "'", "''") + "'"
		}
		words[i] = a
	}
	return `"` + strings.Join(words, " ") + `"`
}

func (c asJob) nomad() string {
	var b strings.Builder
	b.WriteString(comment(
		"A batch job of Nomad that runs the cell "+c.c.Name+": nomad job run FILE. Its clients allow raw_exec.",
		fmt.Sprintf("client { max_kill_timeout = %q } or more in their configuration.", inSeconds(c.stop)),
	))
	if c.limit > 0 {
		b.WriteString(comment("Nomad has no limit of time for a job: time_limit of the cell file is kept by skep."))
	}
	name := strings.ReplaceAll(c.c.Name, "@", "-")
	fmt.Fprintf(&b, `job %q {
  type = "batch"
  group %q {
    count = 1
    restart {
      attempts = 3
      delay    = "30s"
      mode     = "fail"
    }
    task %q {
      driver       = "raw_exec"
      kill_signal  = "SIGTERM"
      kill_timeout = %q
      config {
        command = "/usr/bin/skep"
        args    = ["run", "--job", "--rm", "--grace", %q, %q]
      }
      resources {
        cores  = %d
        memory = %d
      }
    }
  }
`, name, name, name, inSeconds(c.stop), inSeconds(c.stop), c.file, c.c.CPUs, c.memory)
	if needs, _ := c.kvm(); needs {
		b.WriteString("  constraint {\n    attribute = \"${meta.kvm}\"\n    value     = \"true\"\n  }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func (c asJob) systemd() string {
	var b strings.Builder
	name := strings.ReplaceAll(c.c.Name, "@", "-")
	b.WriteString(comment(
		"A service of systemd that runs the cell "+c.c.Name+": /etc/systemd/system/skep-"+name+".service.",
		"Its control groups are below the unit's, so that systemctl status and systemd-cgtop see the guest.",
	))
	fmt.Fprintf(&b, `[Unit]
Description=Cell %s of skep
After=network.target

[Service]
Type=exec
ExecStart=/usr/bin/skep run --job --quiet --name %s --grace %ds %s
StandardInput=null
Delegate=yes
MemoryMax=%dM
MemorySwapMax=0
CPUQuota=%d%%
KillMode=mixed
TimeoutStopSec=%d
SuccessExitStatus=6
RestartForceExitStatus=75
RestartSec=30
`, c.c.Name, name, seconds(c.stop), systemdWord(c.file), c.memory, (c.c.CPUs+1)*100, seconds(c.stop))
	if c.limit > 0 {
		fmt.Fprintf(&b, "RuntimeMaxSec=%d\n", seconds(c.limit))
	}
	if needs, _ := c.kvm(); needs {
		b.WriteString("ExecCondition=/bin/test -w /dev/kvm\n")
	}
	b.WriteString("\n[Install]\nWantedBy=multi-user.target\n")
	return b.String()
}

// systemdWord is a word of a command line in a unit: % and $ begin what systemd replaces.
func systemdWord(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(s)
	if strings.ContainsAny(s, " \t'") {
		return `"` + s + `"`
	}
	return s
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func inSeconds(d time.Duration) string { return fmt.Sprintf("%ds", seconds(d)) }

// clock is a duration as sbatch(1) takes it.
func clock(d time.Duration) string {
	s := seconds(d)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
