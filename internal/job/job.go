// Package job finds out which job of a batch system this process runs for, from what the system has put into
// its environment. It reads nothing but that and, of HTCondor, the file with the job's description.
package job

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"skep/internal/host"
)

// Found is a job, and what follows from it for a cell that runs for it.
type Found struct {
	host.Job
	// Name is a name for its cell that no other job's has: letters, digits, - and _.
	Name string
	// Grace is how long the system waits between SIGTERM and SIGKILL unless it is set up otherwise; 0 where
	// it is not known.
	Grace time.Duration
	// Tried is how often the system has started the job over.
	Tried int
}

// What the systems wait, as they come: KillWait in slurm.conf(5), MachineMaxVacateTime of HTCondor,
// kill_timeout of a Nomad task.
const (
	slurmGrace  = 30 * time.Second
	condorGrace = 10 * time.Minute
	nomadGrace  = 5 * time.Second
)

// Environment is what a job is found by.
type Environment struct {
	Get  func(name string) string
	Read func(path string) ([]byte, error)
}

// Find finds the job; ok is false where this is none.
func Find(e Environment) (f Found, ok bool, err error) {
	switch {
	case e.Get("SLURM_JOB_ID") != "":
		f, err = slurm(e)
	case e.Get("_CONDOR_JOB_AD") != "":
		f, err = condor(e)
	case e.Get("NOMAD_ALLOC_ID") != "":
		f, err = nomad(e)
	default:
		return f, false, nil
	}
	return f, err == nil, err
}

// slurm is a job of Slurm, as sbatch(1) and srun(1) describe its environment. Steps that run at once in one
// job have cells of their own.
func slurm(e Environment) (f Found, err error) {
	id, err := number(e, "SLURM_JOB_ID")
	if err != nil {
		return f, err
	}
	f.System, f.ID, f.Grace = "slurm", id, slurmGrace
	f.Name = "slurm-" + id
	f.Tried, _ = strconv.Atoi(e.Get("SLURM_RESTART_COUNT"))
	f.CPUs = count(cmp.Or(e.Get("SLURM_CPUS_ON_NODE"), e.Get("SLURM_CPUS_PER_TASK")))
	const mib = 1 << 20
	f.Memory = int64(count(e.Get("SLURM_MEM_PER_NODE"))) * mib
	if per := count(e.Get("SLURM_MEM_PER_CPU")); per > 0 {
		f.Memory = int64(per) * int64(f.CPUs) * mib
	}
	if e.Get("SLURM_ARRAY_TASK_ID") != "" {
		array, err := number(e, "SLURM_ARRAY_JOB_ID")
		if err != nil {
			return f, err
		}
		task, err := number(e, "SLURM_ARRAY_TASK_ID")
		if err != nil {
			return f, err
		}
		f.Task = array + "_" + task
		f.Name = "slurm-" + f.Task
	}
	// A batch script and its like have numbers from here on, slurm.h's SLURM_MAX_NORMAL_STEP_ID.
	const special = 0xfffffff0
	if step, err := strconv.ParseUint(e.Get("SLURM_STEP_ID"), 10, 32); err == nil && step < special {
		f.Name += "-" + strconv.FormatUint(step, 10)
		if n, _ := strconv.Atoi(e.Get("SLURM_STEP_NUM_TASKS")); n > 1 {
			rank, err := number(e, "SLURM_PROCID")
			if err != nil {
				return f, err
			}
			f.Name += "-" + rank
		}
	}
	return f, nil
}

// condor is a job of HTCondor: _CONDOR_JOB_AD names a file with its ClassAd.
func condor(e Environment) (f Found, err error) {
	b, err := e.Read(e.Get("_CONDOR_JOB_AD"))
	if err != nil {
		return f, fmt.Errorf("_CONDOR_JOB_AD: %w", err)
	}
	ad := classAd(b)
	cluster, proc := ad["clusterid"], ad["procid"]
	if !digits(cluster) || !digits(proc) {
		return f, fmt.Errorf("_CONDOR_JOB_AD: the file has no ClusterId or ProcId")
	}
	f.System, f.ID, f.Grace = "condor", cluster+"."+proc, condorGrace
	f.Name = "condor-" + cluster + "_" + proc
	f.CPUs, f.Memory = count(ad["requestcpus"]), int64(count(ad["requestmemory"]))<<20
	if s, err := strconv.Atoi(cmp.Or(ad["jobmaxvacatetime"], ad["killsigtimeout"])); err == nil && s > 0 {
		f.Grace = min(time.Duration(s)*time.Second, condorGrace)
	}
	if n, err := strconv.Atoi(ad["numjobstarts"]); err == nil {
		f.Tried = n
	}
	return f, nil
}

// classAd reads the lines NAME = VALUE of a ClassAd; names are the same in any case.
func classAd(b []byte) map[string]string {
	ad := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			ad[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return ad
}

// nomad is an allocation of Nomad, whose number is a UUID.
func nomad(e Environment) (f Found, err error) {
	id := e.Get("NOMAD_ALLOC_ID")
	short, _, ok := strings.Cut(id, "-")
	if !ok || len(short) != 8 || strings.Trim(short, "0123456789abcdef") != "" {
		return f, fmt.Errorf("NOMAD_ALLOC_ID is not a UUID: %.40q", id)
	}
	f.System, f.ID, f.Name, f.Grace = "nomad", id, "nomad-"+short, nomadGrace
	return f, nil
}

// number is a variable that must be a number.
func number(e Environment, name string) (string, error) {
	v := e.Get(name)
	if !digits(v) {
		return "", fmt.Errorf("%s is not a number: %.40q", name, v)
	}
	return v, nil
}

// count is a number of things, 0 where none is said.
func count(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

func digits(s string) bool {
	return s != "" && len(s) <= 10 && strings.Trim(s, "0123456789") == ""
}
