//go:build !linux && !freebsd

package unixsock

import "net"

// Peer is not known here.
func Peer(*net.UnixConn) int { return 0 }

// PeerUser is not known here.
func PeerUser(*net.UnixConn) (int, bool) { return 0, false }

// PeerCred is not known here.
func PeerCred(*net.UnixConn) (Cred, bool) { return Cred{}, false }
