package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/job"
	"skep/internal/process"
	"skep/internal/store"
)

// jobOptions are the flags of run that are for jobs of batch systems, and the job once it is found.
type jobOptions struct {
	is    bool
	bind  bool
	grace time.Duration
	// parent is the value of --cgroup-parent.
	parent string
	found  job.Found
}

func (o *runOptions) addJob(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.job.is, "job", false, "run it for the job of Slurm, HTCondor or Nomad that this is")
	f.BoolVar(&o.job.bind, "bind", false, "the guest ends with this process, whatever ends that")
	f.StringVar(&o.job.parent, "cgroup-parent", "", "have the cell's control groups below this `group`: auto, host or a path")
	_ = cmd.RegisterFlagCompletionFunc("cgroup-parent", cobra.FixedCompletions(parents, cobra.ShellCompDirectiveNoFileComp))
	f.StringVar(&o.results, "results", "", "write what came of it to a directory of its name in this `directory`")
	_ = cmd.RegisterFlagCompletionFunc("results", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	f.DurationVar(&o.job.grace, "grace", 0, "with --job: how `long` the system waits between SIGTERM and SIGKILL")
}

// parents are the words that --cgroup-parent knows: the caller's own group, and none.
var parents = []string{host.CgroupAuto, host.CgroupHost}

// below settles the group that cells have theirs below: that of a job, unless it is said.
func (a *app) below(asked string, isJob bool) error {
	switch {
	case asked == "" && isJob:
		asked = host.CgroupAuto
	case asked == "" || asked == host.CgroupHost:
		return nil
	case asked != host.CgroupAuto && (!path.IsAbs(asked) || path.Clean(asked) != asked || asked == "/"):
		return usage("--cgroup-parent must be auto, host or a path such as /lab/one, got %q", asked)
	}
	a.cgroupParent = asked
	return nil
}

// hasGroups refuses a group that was asked for on a host that has none.
func hasGroups(f host.Facts, asked string) error {
	if f.Linux != nil || asked == "" || asked == host.CgroupHost {
		return nil
	}
	return fault.New(fault.Input, "leave --cgroup-parent out: rctl(8) limits the jail of each cell", "use a control group: only Linux has them")
}

// maxTries bounds how often a job is told to be tried again for want of something that its hosts may never have.
const maxTries = 5

// settleJob finds the job, and has it name the cell.
func (o *runOptions) settleJob(c *cell.Cell) error {
	j := &o.job
	if !j.is {
		if j.grace != 0 {
			return usage("--grace is for --job")
		}
		return nil
	}
	if j.grace < 0 {
		return usage("--grace must be a duration such as 30s, got %s", j.grace)
	}
	var ok bool
	var err error
	if j.found, ok, err = job.Find(job.Environment{Get: os.Getenv, Read: readJobFile}); err != nil {
		return fault.Wrap(fault.Input, err, "", "find the job that this is")
	}
	if j.grace == 0 {
		j.grace = j.found.Grace
	}
	j.bind = true
	_, _, instance := cell.SplitInstance(c.Name)
	switch {
	case o.name != "" || instance: // named by whoever has written the job
	case ok:
		o.name = j.found.Name
	default:
		return fault.New(fault.Input, "--name NAME names it where no batch system does",
			"name the cell: neither SLURM_JOB_ID, _CONDOR_JOB_AD nor NOMAD_ALLOC_ID is set")
	}
	return nil
}

// readJobFile reads what a batch system says of a job.
func readJobFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unwrapPath(err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxCellFile))
}

// jobFacts are what the plan has to know of it.
func (o runOptions) jobFacts() *host.Job {
	if !o.job.is && !o.job.bind {
		return nil
	}
	j := o.job.found.Job
	j.Bound, j.Once = o.job.bind, o.rm
	return &j
}

// stopWithin is how long a guest has to power off: its cell's stop_timeout, and less than the batch system waits,
// so that what the cell holds is released before everything is killed.
func (o runOptions) stopWithin(c *cell.Cell) time.Duration {
	if o.job.grace > 0 {
		return min(c.StopTimeout, o.job.grace*5/6)
	}
	return c.StopTimeout
}

// watchParent stops the guest of a bound run once the process has ended that has started this one: the step
// daemon of a batch system, say, without which nobody would end the job.
func (o runOptions) watchParent(stop func(who string)) (done func()) {
	parent := os.Getppid()
	if !o.job.bind || parent <= 1 {
		return func() {}
	}
	ended, forget, err := process.Ended(parent)
	if os.Getppid() != parent {
		if err == nil {
			forget()
		}
		stop(byParent)
		return func() {}
	}
	if err != nil {
		return func() {} // no such call in this kernel
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-ended:
			stop(byParent)
		case <-over:
		}
	}()
	return func() { close(over); forget() }
}

// byParent is who has stopped a guest whose run was bound to its parent.
const byParent = "the end of the process that started skep"

// elsewhere makes of a failed start one that the batch system tries again, where what is lacking passes or
// another host of the cluster may have it.
func (o runOptions) elsewhere(err error) error {
	if !o.job.is || o.job.found.Tried >= maxTries || fault.CodeOf(err) != fault.Host {
		return err
	}
	var e *fault.Error
	if !errors.As(err, &e) {
		return err
	}
	again := *e
	again.Code = fault.Busy
	return &again
}

// forgetTry forgets what an earlier try of the same job has left: it was to be forgotten with its end, and
// was killed before.
func (a *app) forgetTry(ctx context.Context, dirs host.Dirs, c *cell.Cell, o runOptions) error {
	if !o.job.is {
		return nil
	}
	s, held, err := store.View(dirs).ReadState(c.Name)
	if err != nil || held || s.Job == nil || !s.Job.Once || s.Job.System != o.job.found.System || s.Job.ID != o.job.found.ID {
		return nil // what is wrong with it is said by the start
	}
	if err := a.forgetRun(ctx, dirs, c.Name); err != nil || o.results == "" {
		return err
	}
	return removeLanded(dirs, c, s.Run) // what two tries have written must not be mixed
}
