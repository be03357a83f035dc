package guestnet

import (
	"io"
	"os"

	"skep/internal/bpf"
	"skep/internal/netjob"
)

// Card is where a guest's frames come and go: a connection to QEMU, or bpf(4) on a tap whose buffer in the kernel has
// that size.
func Card(files map[string]*os.File, frames int) io.ReadWriter {
	if frames > 0 {
		return bpf.NewStream(files[netjob.FileNIC], files[netjob.FileUntil], frames)
	}
	return files[netjob.FileNIC]
}

// Dropped is how many frames of a card's the kernel had no room for.
func Dropped(card io.ReadWriter) uint64 {
	if s, ok := card.(*bpf.Stream); ok {
		return s.Dropped()
	}
	return 0
}
