package job

import (
	"errors"
	"os"
	"testing"
	"time"

	"skep/internal/cell"
)

func env(pairs ...string) Environment {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return Environment{Get: func(n string) string { return m[n] }, Read: func(path string) ([]byte, error) {
		if path == "/ad" {
			return []byte("ProcId = 7\nClusterId = 12\nRequestCpus = 2\nRequestMemory = 512\nJobMaxVacateTime = 90\nCmd = \"/usr/bin/skep\"\nNumJobStarts = 2\n"), nil
		}
		return nil, os.ErrNotExist
	}}
}

func TestFind(t *testing.T) {
	slurm := func(more ...string) Environment { return env(append([]string{"SLURM_JOB_ID", "121"}, more...)...) }
	for _, c := range []struct {
		in             Environment
		name, id, task string
		grace          time.Duration
		tried          int
	}{
		{slurm(), "slurm-121", "121", "", 30 * time.Second, 0},
		{slurm("SLURM_ARRAY_JOB_ID", "120", "SLURM_ARRAY_TASK_ID", "7", "SLURM_RESTART_COUNT", "3"), "slurm-120_7", "121", "120_7", 30 * time.Second, 3},
		{slurm("SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "1"), "slurm-121-0", "121", "", 30 * time.Second, 0},
		{slurm("SLURM_STEP_ID", "2", "SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID", "3"), "slurm-121-2-3", "121", "", 30 * time.Second, 0},
		{slurm("SLURM_STEP_ID", "4294967291"), "slurm-121", "121", "", 30 * time.Second, 0},
		{env("_CONDOR_JOB_AD", "/ad"), "condor-12_7", "12.7", "", 90 * time.Second, 2},
		{env("NOMAD_ALLOC_ID", "5cd3a1c8-0a6e-4b2b-9d0f-0123456789ab"), "nomad-5cd3a1c8", "5cd3a1c8-0a6e-4b2b-9d0f-0123456789ab", "", 5 * time.Second, 0},
	} {
		f, ok, err := Find(c.in)
		if !ok || err != nil || f.Name != c.name || f.ID != c.id || f.Task != c.task || f.Grace != c.grace || f.Tried != c.tried {
			t.Errorf("%s: found %+v, %v, %v", c.name, f, ok, err)
		}
		if err := cell.ValidName(f.Name); err != nil {
			t.Errorf("%s is no name of a cell: %v", f.Name, err)
		}
		if !f.Is(c.id) || c.task != "" && !f.Is(c.task) || f.Is("") || f.Is("1") {
			t.Errorf("%s goes by other numbers than its own", f.Name)
		}
	}
}

// What a batch system says becomes the name of a cell, so nothing else than a number does.
func TestFindRefuses(t *testing.T) {
	if f, ok, err := Find(env()); ok || err != nil {
		t.Errorf("nothing is a job: %+v, %v", f, err)
	}
	for _, in := range []Environment{
		env("SLURM_JOB_ID", "../../etc"), env("SLURM_JOB_ID", "12345678901"), env("SLURM_JOB_ID", "1", "SLURM_ARRAY_TASK_ID", "2"),
		env("SLURM_JOB_ID", "1", "SLURM_ARRAY_JOB_ID", "1", "SLURM_ARRAY_TASK_ID", "x"),
		env("NOMAD_ALLOC_ID", "web"), env("_CONDOR_JOB_AD", "/none"),
		{Get: env("_CONDOR_JOB_AD", "/ad").Get, Read: func(string) ([]byte, error) { return []byte("ClusterId = a\nProcId = 1\n"), nil }},
		{Get: env("_CONDOR_JOB_AD", "/ad").Get, Read: func(string) ([]byte, error) { return nil, errors.New("no") }},
	} {
		if f, ok, err := Find(in); ok || err == nil {
			t.Errorf("found %+v", f)
		}
	}
}

// What a job has been given bounds its cell.
func TestFindGiven(t *testing.T) {
	for _, c := range []struct {
		in   Environment
		cpus int
		mem  int64
	}{
		{env("SLURM_JOB_ID", "1"), 0, 0},
		{env("SLURM_JOB_ID", "1", "SLURM_CPUS_ON_NODE", "4", "SLURM_MEM_PER_NODE", "300"), 4, 300 << 20},
		{env("SLURM_JOB_ID", "1", "SLURM_CPUS_ON_NODE", "4", "SLURM_MEM_PER_CPU", "100"), 4, 400 << 20},
		{env("SLURM_JOB_ID", "1", "SLURM_MEM_PER_NODE", "0"), 0, 0}, // all that the node has
		{env("_CONDOR_JOB_AD", "/ad"), 2, 512 << 20},
	} {
		if f, _, err := Find(c.in); err != nil || f.CPUs != c.cpus || f.Memory != c.mem {
			t.Errorf("%d processors and %d bytes, want %d and %d (%v)", f.CPUs, f.Memory, c.cpus, c.mem, err)
		}
	}
}
