package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/evidence"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/inside"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/store"
)

// record is skep record.
func (a *app) record() *cobra.Command {
	o := shotOptions{changed: true}
	cmd := &cobra.Command{
		Use:   "record NAME",
		Short: "Keep pictures of a guest's screen in its evidence",
		Long: `Take pictures of a running guest's screen until it ends or this is interrupted, and
keep those that differ from the one before in the evidence of the run, where
skep evidence finds them. The cell's events have the sum of each.`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err == nil {
				err = a.mustKnow(dirs, name)
			}
			if err != nil {
				return err
			}
			s, held, err := store.View(dirs).ReadState(name)
			if err != nil || !held || s.Run == "" {
				return fault.Cannot(fault.Host, "skep up "+name+" starts it", "record", name, "it is not running")
			}
			o.dir = filepath.Join(dirs.EvidenceDir(name, s.Run), layout.EvidenceShots)
			o.events = true
			return a.shoot(cmd.Context(), dirs, name, o)
		},
	}
	o.flags(cmd)
	return cmd
}

// shotOptions are how pictures are taken one after the other.
type shotOptions struct {
	every   time.Duration
	changed bool
	most    int
	dir     string
	events  bool // the cell's events have each
	sheet   bool
}

func (o *shotOptions) flags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.every, "every", 2*time.Second, "the pause between two pictures")
	cmd.Flags().IntVar(&o.most, "max", 1000, "how many pictures are kept at most")
}

// The fastest that pictures are taken, and how long a picture may take.
const (
	shotPause = 100 * time.Millisecond
	shotWait  = 20 * time.Second
)

// shoot takes pictures until the guest ends, somebody interrupts, or there are enough.
func (a *app) shoot(ctx context.Context, dirs host.Dirs, name string, o shotOptions) error {
	if o.every < shotPause {
		return usage("--every must be at least %s, got %s", shotPause, o.every)
	}
	if o.most < 1 {
		return usage("--max must be at least 1, got %d", o.most)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	st := store.View(dirs)
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return fault.Wrap(fault.Input, err, "", "keep pictures in %s", o.dir)
	}
	var last [32]byte
	var kept []string
	for n := 0; ; n++ {
		shot, err := shotOf(ctx, st.RunDir(name), o.events)
		if err != nil {
			var f *fault.Error
			if errors.As(err, &f) && n == 0 {
				return fault.Wrap(fault.Host, err, "", "take a screenshot of %s", name)
			}
			if ctx.Err() != nil || !st.Held(name) {
				break
			}
		} else if sum := sha256.Sum256(shot); !o.changed || sum != last {
			last = sum
			at := time.Now().UTC()
			path := filepath.Join(o.dir, shotName(len(kept)+1, at))
			if err := os.WriteFile(path, shot, 0o600); err != nil {
				return fault.Wrap(fault.Host, err, "", "keep a picture")
			}
			kept = append(kept, path)
			if o.events {
				a.made(ctx, st.RunDir(name), keeper.Recorder, layout.EvidenceShots+"/"+filepath.Base(path), hex.EncodeToString(sum[:]))
			}
			if len(kept) >= o.most {
				a.note("%d pictures are kept, which is all that --max allows", len(kept))
				break
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(o.every):
			continue
		}
		break
	}
	if o.sheet && len(kept) > 0 {
		sheet, err := a.contactSheet(context.WithoutCancel(ctx), kept)
		if err == nil {
			err = os.WriteFile(filepath.Join(o.dir, "contact-sheet.png"), sheet, 0o600)
		}
		if err != nil {
			return fault.Wrap(fault.Host, err, "", "make a contact sheet")
		}
	}
	a.printf("%s: %d pictures in %s\n", name, len(kept), o.dir)
	return nil
}

func shotOf(ctx context.Context, runDir string, recorder bool) ([]byte, error) {
	cl, err := keeper.Dial(runDir)
	if err != nil {
		return nil, fault.Fail(fault.Host, "", "it is not running")
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, shotWait)
	defer cancel()
	who := "skep screenshot"
	if recorder {
		who = keeper.Recorder
	}
	return cl.Ask(ctx, "screenshot", who)
}

// shotForm is the time in a picture's name.
const shotForm = "20060102T150405.000Z"

func shotName(n int, at time.Time) string { return fmt.Sprintf("%04d-%s.png", n, at.Format(shotForm)) }

// shotTime is when a picture was taken, by its name.
func shotTime(name string) (time.Time, error) {
	_, at, _ := strings.Cut(strings.TrimSuffix(name, ".png"), "-")
	return time.Parse(shotForm, at)
}

// contactSheet is one picture of many, each with its time. They are decoded in a jail.
func (a *app) contactSheet(ctx context.Context, paths []string) ([]byte, error) {
	h, err := a.readers()
	if err != nil {
		return nil, err
	}
	var pictures []*os.File
	defer func() {
		for _, f := range pictures {
			f.Close()
		}
	}()
	var labels []string
	for _, path := range evidence.Choose(paths) {
		f, err := os.Open(path)
		if err != nil {
			return nil, unwrapPath(err)
		}
		at, _ := shotTime(filepath.Base(path))
		pictures, labels = append(pictures, f), append(labels, at.Format("15:04:05"))
	}
	return inside.Sheet(ctx, h, pictures, labels)
}
