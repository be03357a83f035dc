// Package unixsock binds and connects UNIX sockets by their path, also where the path is longer than a
// socket address holds.
package unixsock

import (
	"net"
	"os"
)

// maxSunPath is what fits in sun_path on every system that skep runs on, with
// its final zero: 104 on FreeBSD, 108 on Linux; unix(4), unix(7).
const maxSunPath = 103

// Dial connects to a UNIX socket, also where its path is longer than a
// socket address holds.
func Dial(path string) (*net.UnixConn, error) {
	var conn *net.UnixConn
	err := viaShort(path, func(short string) (err error) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	return conn, err
}

// Listen binds a UNIX socket that only its owner may connect to.
func Listen(path string) (*net.UnixListener, error) {
	var l *net.UnixListener
	err := viaShort(path, func(short string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	// Its name is removed as a resource, by whoever releases it.
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		os.Remove(path)
		return nil, err
	}
	return l, nil
}
