package linuxjail

import (
	"skep/internal/layer"
)

// facts are what a program needs to know about this kernel.
type facts struct {
	lastCap     int // the highest capability
	landlockABI int
	notifyFlags uintptr // the flags that seccomp(2) takes beside NEW_LISTENER
	initialRoot bool    // this process stands on the root that the kernel was unpacked into
}

// inherited are the keeper's descriptors that the child works with. All lie above the numbers that
// the hypervisor will get, so that placing those overwrites none of these.
type inherited struct {
	parentSync int // the keeper's end of sync, to be closed first
	sync       int // released by the keeper; takes the listener back
	errors     int // where a failed row is reported
	std        [3]int
	fds        []int
	copies     []int
	files      []int // detached mounts of the files; none where the child has to take them by path
	nodes      int   // a detached tmpfs with the device nodes, or -1
}

// lowest is the first number that is free once everything else is closed.
func (in inherited) lowest() int { return FirstFD + len(in.fds) }

// builder writes a program.
type builder struct {
	Program
	spec  Spec
	facts facts
	in    inherited
}

func (b *builder) on(id layer.ID) bool { return layer.On(b.spec.Layers, id) }

func (b *builder) rows(steps ...Step) { b.add(b.on, steps...) }

// build writes the whole program; the package comment gives the reasons for the order.
func build(spec Spec, f facts, in inherited, filters compiled) (*Program, error) {
	b := &builder{spec: spec, facts: f, in: in}
	b.Steps = make([]Step, 0, 128+5*len(spec.Root.Files))
	b.wait()
	if b.on(layer.PrivateRoot) {
		b.take()
	}
	b.identity()
	b.surroundings()
	if b.on(layer.PrivateRoot) {
		b.rootfs()
	}
	b.descriptors()
	b.memory()
	if err := b.limits(); err != nil {
		return nil, err
	}
	b.privileges()
	b.landlock()
	b.signals()
	b.filters(filters)
	b.exec()
	return &b.Program, nil
}
