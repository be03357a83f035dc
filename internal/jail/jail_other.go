//go:build !linux

package jail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"skep/internal/layer"
)

// Process is a live hypervisor. There is none on this system yet.
type Process struct{}

var errUnsupported = fmt.Errorf("no jail on %s yet: %w", runtime.GOOS, errors.ErrUnsupported)

func Start(context.Context, Spec) (*Process, error)          { return nil, errUnsupported }
func Adopt(int, uint64, Record) (*Process, error)            { return nil, errUnsupported }
func ProbeLayers(Identity) (map[layer.ID]layer.Probe, error) { return nil, errUnsupported }
func (*Process) Pid() int                                    { return 0 }
func (*Process) StartTime() uint64                           { return 0 }
func (*Process) PidFD() *os.File                             { return nil }
func (*Process) Done() <-chan struct{}                       { return nil }
func (*Process) Record() Record                              { return Record{} }
func (*Process) Seal() error                                 { return errUnsupported }
func (*Process) Empty(context.Context, Root) error           { return errUnsupported }
func (*Process) Kill() error                                 { return errUnsupported }
func (*Process) Wait(context.Context) (Exit, error)          { return Exit{}, errUnsupported }
func (*Process) Release() error                              { return nil }
