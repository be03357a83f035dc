package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/drill/attack"
	"skep/internal/drill/bait"
	"skep/internal/drill/report"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/jail/seccomp"
)

// A subject is a way to run a program with fewer rights, as other tools offer it.
type subject struct {
	name    string
	program string   // "" where none is needed
	release []string // arguments that print what it is
	user    bool     // started as an ordinary user; else as root
	// words is the command, where prepare has made what it needs.
	words func(rootfs peerRootfs) []string
	// inside is where the attacker lies as it sees it; "" where the host has it.
	inside string
	// commands is the descriptor on which the attacker takes them, and so how many arguments it has.
	commands int
	prepare  func(rootfs peerRootfs) error
	clean    func(rootfs peerRootfs)
}

// peerRootfs is what a subject is given to work with: a directory of the drill's and the attacker in it.
type peerRootfs struct {
	dir     string
	program string
}

func (r peerRootfs) root() string   { return filepath.Join(r.dir, "rootfs") }
func (r peerRootfs) runs() string   { return filepath.Join(r.dir, "runs") }
func (r peerRootfs) inRoot() string { return filepath.Join(r.root(), attackerInside) }

// attackerInside is the attacker's name in a root that was made for it.
const attackerInside = "/attacker"

// Peers makes the attempts in a cell and in each of the subjects, or in those alone that are named. Some of them succeed: it is to be
// run where that can do no harm, in a throwaway host (see Apart), with Furnish and FurnishPeers called.
func Peers(ctx context.Context, cfg Config, only ...string) (c report.Comparison, err error) {
	began := time.Now()
	cfg.Hidden = true
	c = report.Comparison{Version: report.Version, Time: began.UTC()}
	for _, a := range attack.All() {
		c.Rows = append(c.Rows, report.Contest{ID: a.ID, Group: a.Group, Tries: a.Tries})
	}
	d := &drill{Config: cfg}
	err = d.set(ctx, func(ctx context.Context) error {
		note := func(name string) {
			if d.Progress != nil {
				d.Progress(report.Row{ID: name})
			}
		}
		note("skep")
		results, err := d.contest(ctx, func(ctx context.Context) (*attack.Fixture, error) {
			return d.arrive(ctx, d.harness.Spec, report.PhaseRun)
		})
		if err != nil {
			return fmt.Errorf("a cell: %w", err)
		}
		c.Add(report.Contender{Name: "skep", Release: "this one", Command: "skep up " + cfg.Cell.Name}, results)
		for _, s := range subjects {
			if len(only) > 0 && !slices.Contains(only, s.name) {
				continue
			}
			note(s.name)
			if err := d.peer(ctx, &c, s); err != nil {
				return err
			}
		}
		return nil
	})
	c.Took = time.Since(began)
	return c, err
}

// peer makes the attempts in one subject. One that cannot be started here is listed with the reason.
func (d *drill) peer(ctx context.Context, c *report.Comparison, s subject) error {
	rootfs := peerRootfs{dir: filepath.Join(d.bait.Dir, "peer-"+s.name)}
	rootfs.program = filepath.Join(rootfs.dir, "attacker")
	who := report.Contender{Name: s.name, Command: s.shown(rootfs)}
	err := s.furnish(rootfs)
	var results map[string]report.Result
	if err == nil {
		who.Release = s.version()
		d.stacks = nil
		results, err = d.contest(ctx, func(ctx context.Context) (*attack.Fixture, error) { return d.visit(ctx, s, rootfs) })
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		who.Absent, results = err.Error(), nil
	}
	c.Add(who, results)
	return nil
}

// contest makes every attempt, in as many attackers as that takes.
func (d *drill) contest(ctx context.Context, enter func(context.Context) (*attack.Fixture, error)) (map[string]report.Result, error) {
	all := map[string]report.Result{}
	again := func(ctx context.Context, _ attack.Attempt) (s *attack.Fixture, err error) {
		for try := 0; ; try++ {
			if s, err = enter(ctx); err == nil || ctx.Err() != nil || try == 5 {
				return s, err
			}
		}
	}
	r := attack.Round{Rows: attack.All(), Paired: true, Enter: again, Made: func(a attack.Attempt, v report.Verdict, how string) {
		all[a.ID] = report.Result{Verdict: v, How: how}
	}}
	if err := r.Run(ctx); err != nil {
		return nil, err
	}
	return all, nil
}

// furnish makes what a subject needs, or says why that is not to be had.
func (s subject) furnish(rootfs peerRootfs) error {
	if s.program != "" {
		if _, err := exec.LookPath(s.program); err != nil {
			return errors.New("it is not installed; scripts/deps peers installs it")
		}
	}
	// A program of its own for each, so that its processes can be told from all others.
	err := errors.Join(os.MkdirAll(rootfs.runs(), 0o755), os.WriteFile(rootfs.program, bait.Attackers[runtime.GOARCH], 0o755), os.Chmod(rootfs.program, 0o755))
	if err == nil && s.prepare != nil {
		err = s.prepare(rootfs)
	}
	return err
}

// version is the first line of what the subject says of itself.
func (s subject) version() string {
	if len(s.release) == 0 {
		return "–"
	}
	out, err := exec.Command(s.release[0], s.release[1:]...).Output()
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(first)
}

// shown is the command less the paths of the drill.
func (s subject) shown(rootfs peerRootfs) string {
	text := strings.Join(s.words(rootfs), " ")
	for path, name := range map[string]string{rootfs.root(): "ROOT", rootfs.runs(): "RUNS", rootfs.program: "PROGRAM"} {
		text = strings.ReplaceAll(text, path, name)
	}
	return strings.ReplaceAll(text, rootfs.dir, "DIR")
}

// visit starts an attacker in a subject and meets it.
func (d *drill) visit(ctx context.Context, sub subject, rootfs peerRootfs) (*attack.Fixture, error) {
	inside := sub.inside
	if inside == "" {
		inside = rootfs.program
	}
	s := &attack.Fixture{Bait: d.bait, Neighbour: d.neighbour, Plan: d.harness.Plan, Stacks: &d.stacks, Measuring: true,
		Spec: linuxjail.Spec{Path: jail.RootfsPath(inside), Argv: make([]string, sub.commands), Policy: seccomp.Policy{}}}
	if !sub.user {
		s.Spec.Identity.UID = 0
	} else {
		s.Spec.Identity.UID = peerUID
	}
	p, err := bait.Careless(d.bait, func() (*peer, error) { return sub.start(ctx, rootfs) })
	if err != nil {
		return nil, err
	}
	s.Proc = p
	if s.Session, err = p.meet(); err == nil {
		err = p.find()
	}
	if err != nil {
		s.Leave()
		return nil, p.explain(err)
	}
	d.stacks = append(d.stacks, s.Stack)
	return s, nil
}

// peerUID is the ordinary user of the throwaway host, known there as peerName.
const (
	peerUID  = 54323
	peerName = "skep-peer"
	peerHome = "/run/skep-peer"
)

// FurnishPeers gives a throwaway host what some subjects ask for: a directory for what runs that is
// the throwaway host's alone, and an ordinary user with a name and a home. Nothing of it shows outside.
func FurnishPeers() error {
	fail := func(err error) error {
		return fmt.Errorf("cannot furnish the throwaway host for peers: %w", err)
	}
	if err := unix.Mount("skep-drill", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fail(err)
	}
	err := errors.Join(os.Mkdir(peerHome, 0o700), os.Chown(peerHome, peerUID, peerUID))
	for file, line := range map[string]string{
		"/etc/passwd": fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", peerName, peerUID, peerUID, peerHome),
		"/etc/group":  fmt.Sprintf("%s:x:%d:\n", peerName, peerUID),
		// Debian's firejail has a list of its users, where anybody made one.
		"/etc/firejail/firejail.users": peerName + "\n",
	} {
		have, rerr := os.ReadFile(file)
		if errors.Is(rerr, os.ErrNotExist) {
			continue
		}
		if len(have) > 0 && have[len(have)-1] != '\n' {
			have = append(have, '\n')
		}
		mine := filepath.Join("/run", filepath.Base(file))
		err = errors.Join(err, rerr, os.WriteFile(mine, append(have, line...), 0o644), unix.Mount(mine, file, "", unix.MS_BIND, ""))
	}
	if err != nil {
		return fail(err)
	}
	return nil
}
