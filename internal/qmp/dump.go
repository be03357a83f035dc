package qmp

import (
	"context"
	"os"
)

// Dump has QEMU write the guest's memory to a descriptor, which may be a pipe: as ELF, or where kdump is
// said as a flattened kdump that is packed. The guest stands still meanwhile, and QEMU answers
// nobody: the context says for how long at most.
func (q *Client) Dump(ctx context.Context, w *os.File, kdump bool) error {
	const name = "dump"
	if err := q.GetFD(ctx, name, w); err != nil {
		return err
	}
	format := "elf"
	if kdump {
		format = "kdump-zlib"
	}
	err := q.Execute(ctx, "dump-guest-memory", map[string]any{"paging": false, "protocol": "fd:" + name, "format": format}, nil)
	if err != nil {
		_ = q.Execute(ctx, "closefd", map[string]string{"fdname": name}, nil) // where QEMU has not come so far as to take it
	}
	return err
}
