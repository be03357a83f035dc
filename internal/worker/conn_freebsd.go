package worker

import "golang.org/x/sys/unix"

// A message here ends where its sender says so: since FreeBSD 15 what two calls sent is one message without that, and one
// call may send a part (uipc_sosend_stream_or_seqpacket in sys/kern/uipc_usrreq.c). Descriptors that nobody makes
// room for are closed without a word, so there is room for all that one message can bring.
const (
	endOfMessage = unix.MSG_EOR
	refusedRoom  = 4096
)
