package host

// Job is what a cell runs for that is a job of a batch system: it is over with it.
type Job struct {
	// System is "slurm", "condor" or "nomad"; "" where none is known.
	System string `json:"system,omitempty"`
	// ID is the system's number of the job, and Task, such as 120_7, that of one of an array's.
	ID   string `json:"id,omitempty"`
	Task string `json:"task,omitempty"`
	// CPUs and Memory, in bytes, are what it was given; 0 is not known.
	CPUs   int   `json:"cpus,omitempty"`
	Memory int64 `json:"memory,omitempty"`
	// Once: nothing is remembered of the cell afterwards.
	Once bool `json:"once,omitempty"`
	// Bound: the hypervisor ends with its keeper, whatever ends that.
	Bound bool `json:"bound,omitempty"`
}

// Bound says whether a hypervisor ends with its keeper.
func (f Facts) Bound() bool { return f.Job != nil && f.Job.Bound }

// Is says whether a job goes by a number: its own, or its array's and task's.
func (j *Job) Is(id string) bool { return j != nil && id != "" && (j.ID == id || j.Task == id) }
