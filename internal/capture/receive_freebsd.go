package capture

import (
	"errors"
	"io"
	"os"
	"time"

	"skep/internal/bpf"
	"skep/internal/netjob"
)

// asking is how often it is asked how many frames the kernel had no room for.
const asking = time.Second

// Receive writes what bpf(4) hands over of the guest's tap, by a descriptor for each direction, until the tap is gone
// or there is to be an end.
func Receive(c netjob.Capture, files map[string]*os.File, r *Ring) error {
	ended := make(chan error, 2)
	for _, name := range []string{netjob.CaptureOut, netjob.CaptureIn} {
		from := bpf.NewReader(files[name], files[netjob.FileUntil], c.Frames)
		go func() { ended <- receive(from, r, name == netjob.CaptureIn) }()
	}
	// One that fails does not wait for the other: a capture of half of what passes is started again.
	if err := <-ended; err != nil {
		return err
	}
	return <-ended
}

func receive(from *bpf.Reader, r *Ring, inbound bool) error {
	lost, asked := uint64(0), time.Now()
	more := func() {
		now := from.Dropped()
		r.Lost(now - min(now, lost))
		lost, asked = now, time.Now()
	}
	defer more()
	for {
		frame, _, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.Frame(inbound, frame)
		if time.Since(asked) > asking {
			more()
		}
	}
}
