package screen

import (
	"context"
	"errors"
	"io"
	"net"
)

// Proxy carries bytes both ways between a viewer and a screen until either
// side ends or the context does, then closes both. It reads neither: what a
// hypervisor sends is the viewer's to judge.
func Proxy(ctx context.Context, a, b net.Conn) error {
	closeBoth := func() { a.Close(); b.Close() }
	stop := context.AfterFunc(ctx, closeBoth)
	defer stop()
	results := make(chan error, 2)
	one := func(to, from net.Conn) {
		// Bare, so that io.Copy takes no splice(2), which would have us hold a
		// pipe besides the two sockets.
		_, err := io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
		// RFB has no half-closed state: where one side is done, both are.
		closeBoth()
		results <- err
	}
	go one(a, b)
	go one(b, a)
	var failed error
	for range 2 {
		// One of the two ends because we closed it.
		if err := <-results; err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
			failed = err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return failed
}
