package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"skep/internal/cell"
	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/reader"
	"skep/internal/store"
)

// Cells of root's that an access block of their file lets this user do something with: their keepers listen in a
// directory beside root's run directory, and decide themselves.

// accessDirs are where such keepers may listen: beside the run directory that is named, and beside root's.
func accessDirs(dirs host.Dirs) []host.Dirs {
	if os.Geteuid() == 0 {
		return nil // root's cells are root's own
	}
	all := []host.Dirs{dirs}
	if system := probe.SystemDirs(); system.Run != dirs.Run {
		all = append(all, system)
	}
	return all
}

// mine are the cells that known knows: none where the directories are another user's and closed.
func mine(dirs host.Dirs) ([]string, error) {
	names, err := known(dirs)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return nil, nil
	}
	return names, err
}

// reached connects to the keeper of a cell of root's; nil where the name is one of this user's cells, or of none that
// runs.
func reached(dirs host.Dirs, name string) (*keeper.Client, error) {
	if names, err := mine(dirs); err != nil || slices.Contains(names, name) || cell.ValidInstance(name) != nil {
		return nil, err
	}
	return reachedAt(dirs, name)
}

func reachedAt(dirs host.Dirs, name string) (*keeper.Client, error) {
	for _, d := range accessDirs(dirs) {
		cl, err := keeper.DialOthers(d, name)
		switch {
		case err == nil:
			return cl, nil
		case errors.Is(err, syscall.ECONNREFUSED):
			return nil, fault.Cannot(fault.Host, "root may adopt it: skep adopt "+name, "reach", name, "its keeper has died")
		case fault.CodeOf(err) != fault.Host || errors.As(err, new(*fault.Error)):
			return nil, err
		}
	}
	return nil, nil
}

// lookWait bounds the wait for one of many keepers.
const lookWait = 3 * time.Second

// othersCells are the cells of root's that this user has access to, and that no cell of the user's own hides.
func othersCells(ctx context.Context, dirs host.Dirs, hidden []string) []cellJSON {
	var all []cellJSON
	for _, d := range accessDirs(dirs) {
		entries, _ := os.ReadDir(d.AccessDir()) // most hosts have none
		found := make([]*cellJSON, len(entries))
		var wait sync.WaitGroup
		room := make(chan struct{}, 16)
		for i, e := range entries {
			name, is := strings.CutSuffix(e.Name(), layout.Socket(""))
			if !is || slices.Contains(hidden, name) || cell.ValidInstance(name) != nil {
				continue
			}
			hidden = append(hidden, name)
			wait.Go(func() {
				room <- struct{}{}
				found[i] = otherCell(ctx, d, name)
				<-room
			})
		}
		wait.Wait()
		for _, c := range found {
			if c != nil {
				all = append(all, *c)
			}
		}
	}
	return all
}

// otherCell is one of them, or nil.
func otherCell(ctx context.Context, dirs host.Dirs, name string) *cellJSON {
	cl, err := keeper.DialOthers(dirs, name)
	if err != nil {
		return nil
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	seen, err := cl.State(ctx, false)
	if err != nil || seen.State.Name != name {
		return nil // it is somebody else's business
	}
	c := asJSON(seen.State, true)
	c.Owner, c.May = rootsOwn, seen.May
	return &c
}

// rootsOwn is whose such cells are.
const rootsOwn = "root"

// askOther has a keeper of root's do something, which it may refuse.
func askOther(ctx context.Context, cl *keeper.Client, name, verb, do string) error {
	defer cl.Close()
	answer, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	_, err := cl.Ask(answer, do, "")
	if err == nil || errors.As(err, new(*fault.Error)) {
		return err
	}
	return fault.Wrap(fault.Host, err, "skep ps shows what it does", "%s %s", verb, name)
}

// endOther stops or kills a cell of root's and waits until it is gone.
func endOther(ctx context.Context, cl *keeper.Client, name, do string) error {
	defer cl.Close()
	if _, err := cl.Ask(ctx, do, ""); err != nil {
		if errors.As(err, new(*fault.Error)) {
			return err
		}
		return fault.Wrap(fault.Host, err, "", "%s %s", do, name)
	}
	if _, err := cl.Ended(ctx); err != nil {
		return fault.Wrap(fault.Host, err, "skep ps shows whether it is gone", "%s %s", do, name)
	}
	return nil
}

// joinOther joins the console of a cell of root's. Its log's end is shown to whoever may read it.
func (a *app) joinOther(ctx context.Context, cl *keeper.Client, dirs host.Dirs, name string, o joinOptions) error {
	defer cl.Close()
	f, err := cl.Console(ctx)
	if err != nil {
		return otherFault(err, "join the console of", name)
	}
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "join the console of %s", name)
	}
	defer conn.Close()
	return a.joined(ctx, name, conn, o, func() ([]byte, error) {
		second, err := reachedAt(dirs, name)
		if err != nil || second == nil {
			return nil, err
		}
		defer second.Close()
		log, err := second.Log(ctx, "")
		if err != nil {
			return nil, err
		}
		defer log.Close()
		return console.TailOf(log, replay)
	})
}

func otherFault(err error, what, name string) error {
	if errors.As(err, new(*fault.Error)) {
		return err
	}
	return fault.Wrap(fault.Host, err, "", "%s %s", what, name)
}

// logOfOther prints the log of a cell of root's.
func (a *app) logOfOther(ctx context.Context, cl *keeper.Client, dirs host.Dirs, name string, o logOptions) error {
	defer cl.Close()
	of := ""
	if o.hypervisor {
		of = "hypervisor"
	}
	log, err := cl.Log(ctx, of)
	if err != nil {
		return otherFault(err, "read the log of", name)
	}
	defer log.Close()
	job := reader.LogJob{Follow: o.follow}
	job.Last, job.Tail = o.last, o.tail
	if o.since != "" {
		since, err := timeOf(o.since, time.Now())
		if err != nil {
			return err
		}
		job.Since = since.Unix()
	}
	if job.Numbers, err = startsOfOther(ctx, dirs, name); err != nil {
		return otherFault(err, "read the log of", name)
	}
	return a.showLog(ctx, name, log, job, o, nil, cl.Gone)
}

// startsOfOther are the numbers of the starts of such a log.
func startsOfOther(ctx context.Context, dirs host.Dirs, name string) ([]string, error) {
	cl, err := reachedAt(dirs, name)
	if err != nil || cl == nil {
		return nil, err
	}
	defer cl.Close()
	f, err := cl.Log(ctx, "starts")
	if err != nil {
		return nil, nil // it has none
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return strings.Fields(string(b)), err
}

// knowOther refuses what nobody but root may do with a cell of root's.
func knowOther(ctx context.Context, dirs host.Dirs, name string) error {
	cl, err := reached(dirs, name)
	if err != nil || cl == nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	if _, err := cl.State(ctx, false); err != nil {
		return otherFault(err, "reach", name)
	}
	return fault.New(fault.Host, "", "do that with %s: it is root's; an access block is good for %s", name, strings.Join(forOthers, ", "))
}

// forOthers are the verbs that know cells of root's.
var forOthers = []string{"ps", "show", "log", "console", "screenshot", "type", "key", "click", "down", "kill", "pause", "resume"}

// stateOfOther is all that is said of a cell of root's.
func stateOfOther(ctx context.Context, cl *keeper.Client, name string) (store.State, []string, error) {
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	seen, err := cl.State(ctx, true)
	if err != nil {
		return store.State{}, nil, otherFault(err, "show", name)
	}
	return seen.State, seen.May, nil
}

// keeperOf is a keeper that was there a moment ago.
func keeperOf(cl *keeper.Client, err error) (*keeper.Client, error) {
	if err == nil && cl == nil {
		err = fs.ErrNotExist
	}
	return cl, err
}
