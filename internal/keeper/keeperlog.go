package keeper

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/provision"
	"skep/internal/store"
)

// EnvDebug has a keeper write each event and each action into its log, if it is set to anything.
const EnvDebug = "SKEP_DEBUG"

// maxLog bounds a keeper's log.
const maxLog = 256 << 10

func logPath(s *store.Store, name string) string {
	return filepath.Join(s.StateDir(name), layout.KeeperLog)
}

// OpenLog opens the log of a cell's keeper, which is to be its standard error: there the Go runtime writes
// the stacks of a panic, and of a kill -ABRT.
func OpenLog(s *store.Store, name string) (*os.File, error) {
	if err := s.MakeStateDir(name); err != nil {
		return nil, err
	}
	path := logPath(s, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, provision.HintFull, "write the log %s", path)
	}
	return f, nil
}

// StartLog is the log of the keeper that this process is, and keeps it below its size.
func StartLog(ctx context.Context, s *store.Store, name string, w io.Writer) *slog.Logger {
	debug.SetTraceback("all")
	level := slog.LevelInfo
	if os.Getenv(EnvDebug) != "" {
		level = slog.LevelDebug
	}
	go func() { _ = console.Bound(ctx, logPath(s, name), maxLog, console.Trim) }()
	log := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	log.Info("keeper started", "cell", name, "pid", os.Getpid())
	return log
}
