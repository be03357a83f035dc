package jail

import (
	"context"
	"errors"

	"skep/internal/layer"
)

// Process is a live hypervisor in its jail.
type Process struct{}

var errTodo = errors.New("not built yet")

func Start(ctx context.Context, spec Spec) (*Process, error)     { return nil, errTodo }
func Adopt(pid int, startTime uint64) (*Process, error)          { return nil, errTodo }
func ProbeLayers() (map[layer.ID]layer.Probe, error)             { return nil, errTodo }
func (p *Process) Pid() int                                      { return 0 }
func (p *Process) StartTime() uint64                             { return 0 }
func (p *Process) Record() Record                                { return Record{} }
func (p *Process) Seal() error                                   { return errTodo }
func (p *Process) Empty(ctx context.Context, planned Root) error { return errTodo }
func (p *Process) Kill() error                                   { return errTodo }
func (p *Process) Wait(ctx context.Context) (Exit, error)        { return Exit{}, errTodo }
func (p *Process) Release() error                                { return nil }
