package keeper

import (
	"context"
	"errors"
)

// Paused has the guest stand still until the function returns. That nothing has
// let it go on meanwhile is known when no error is returned.
func (c *Client) Paused(ctx context.Context, who string, f func() error) error {
	if _, err := c.Ask(ctx, string(commandPause), who); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err // hanging up ends the pause
	}
	if _, err := c.conn.Write([]byte("\n")); err != nil {
		return errPauseLost
	}
	var r response
	if err := c.in.Decode(&r); err != nil || !r.OK {
		return errPauseLost
	}
	return nil
}

var errPauseLost = errors.New("its keeper or the guest ended meanwhile")
