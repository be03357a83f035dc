package capture

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/netjob"
)

// The socket stays open as long as it is received from, also where nobody else has it: a collected os.File closes
// its descriptor.
func TestReceiveKeepsSocket(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	var files [2]*os.File
	for i, name := range []string{"one", "two"} {
		if files[i], err = os.Create(filepath.Join(t.TempDir(), name)); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	r, err := New("cell", "nic", files[0], files[1], 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ended := make(chan error, 1)
	go func() {
		ended <- Receive(netjob.Capture{}, map[string]*os.File{netjob.CaptureSocket: os.NewFile(uintptr(fds[0]), "socket")}, r)
	}()
	for range 10 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
		if _, err := unix.Write(fds[1], make([]byte, 64)); err != nil {
			t.Fatalf("the socket was closed: %v", err)
		}
	}
	select {
	case err := <-ended:
		t.Errorf("it has ended: %v", err)
	default:
	}
}
