package keeper

import (
	"context"

	"skep/internal/fault"
	"skep/internal/provision"
)

// ask has the hypervisor itself answer a command.
func (k *Keeper) ask(ctx context.Context, c *command) {
	m := k.life.live
	var a answer
	switch c.do {
	case commandDump:
		k.dump(ctx, m, *c)
		return
	case commandFreeze:
		a.err = m.Freeze(ctx)
	case commandInput:
		a.err = m.Input(ctx, c.steps)
	case commandGrow:
		a.err = k.grow(ctx, c.tag, c.size)
	case commandMedium:
		a.err = k.changeMedium(ctx, c.tag, c.path)
	case commandScreenshot:
		var p provision.Picture
		p, a.err = m.Screenshot(ctx)
		a.data, a.picture = p.Bytes, p.File
	default:
		a.err = m.Snapshot(ctx, string(c.do), c.tag)
	}
	c.send(a)
}

// dump is answered when it is over, which may be minutes. Until then the keeper sees to everything else:
// a guest can be killed while its memory is written.
func (k *Keeper) dump(ctx context.Context, m provision.Machine, c command) {
	if !k.dumping.CompareAndSwap(false, true) {
		c.file.Close()
		c.answer(fault.New(fault.Busy, "", "dump the memory of %s: it is being dumped", k.Cell.Name))
		return
	}
	go func() {
		err := m.Dump(ctx, c.tag, c.file)
		c.file.Close() // whoever reads it sees its end
		k.dumping.Store(false)
		c.answer(err)
	}()
}
