package keeper

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// receive reads a request, and the descriptor that may come with it.
func receive(conn net.Conn) (line []byte, file *os.File, err error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		line, err = bufio.NewReader(io.LimitReader(conn, maxRequest)).ReadBytes('\n')
		return line, nil, err
	}
	buf, oob := make([]byte, 32<<10), make([]byte, syscall.CmsgSpace(4))
	for len(line) < maxRequest {
		n, oobn, _, _, err := u.ReadMsgUnix(buf, oob)
		n, oobn = max(n, 0), max(oobn, 0) // with an error they may be -1
		if f := passed(oob[:oobn]); f != nil {
			if file != nil {
				file.Close()
			}
			file = f
		}
		line = append(line, buf[:n]...)
		if bytes.IndexByte(buf[:n], '\n') >= 0 {
			return line[:bytes.IndexByte(line, '\n')], file, nil
		}
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			if file != nil {
				file.Close()
			}
			return nil, nil, err
		}
	}
	if file != nil {
		file.Close()
	}
	return nil, nil, errors.New("a request that is too long")
}

// passed is the descriptor in a control message.
func passed(oob []byte) (file *os.File) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if file == nil {
				file = os.NewFile(uintptr(fd), "handed in")
				continue
			}
			_ = syscall.Close(fd)
		}
	}
	return file
}
