package capture

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"skep/internal/netjob"
)

// maxPacket is more than the largest that a tap hands over, with its offloads.
const maxPacket = 256 << 10

// Receive writes what comes by a packet socket of the guest's tap, until the tap is gone. What the kernel had
// no room for is counted: the socket says so beside a packet (SO_RXQ_OVFL).
func Receive(_ netjob.Capture, files map[string]*os.File, r *Ring) error {
	sock := files[netjob.CaptureSocket]
	defer runtime.KeepAlive(sock) // a file that is collected is closed
	b, beside := make([]byte, maxPacket), make([]byte, unix.CmsgSpace(4)*4)
	dropped := uint32(0)
	fd := int(sock.Fd())
	for {
		n, nb, _, from, err := unix.Recvmsg(fd, b, beside, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
			return nil // the tap went, and the guest with it
		case err != nil:
			return err
		}
		if all, err := unix.ParseSocketControlMessage(beside[:nb]); err == nil {
			for _, m := range all {
				if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
					now := binary.NativeEndian.Uint32(m.Data)
					r.Lost(uint64(now - dropped))
					dropped = now
				}
			}
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		r.Frame(ok && link.Pkttype == unix.PACKET_OUTGOING, b[:n])
	}
}
