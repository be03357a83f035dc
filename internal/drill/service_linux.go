package drill

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"skep/internal/broker"
	"skep/internal/cell"
	"skep/internal/drill/attack"
	"skep/internal/drill/report"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/netjob"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/provision"
	"skep/internal/tool"
	"skep/internal/unixsock"
)

// A card's process is one that a guest speaks with by its network card: its network in user space, or what
// captures its tap.
type cardProcess struct {
	scene   string
	network *plan.Network
	capture *plan.Capture
}

// cardProcesses are those that the cards of a cell have, one of each kind.
func cardProcesses(c *cell.Cell) (all []cardProcess) {
	const captured = 8 * cell.MiB
	seen := map[string]bool{}
	for _, n := range c.NICs {
		p := cardProcess{scene: report.SceneCapture, capture: &plan.Capture{Label: n.Label, Max: captured}}
		if n.UserSpace() {
			p = cardProcess{scene: sceneOf[n.Network], network: &plan.Network{Label: n.Label, Mode: n.Network, LogMax: captured}}
			if n.Capture {
				p.network.CaptureMax = captured
			}
		} else if !n.Capture || os.Geteuid() != 0 {
			continue // without root there is no packet socket, and no capture of a tap
		}
		if !seen[p.scene] {
			all = append(all, p)
		}
		seen[p.scene] = true
	}
	return all
}

// sceneOf names the process of a network in user space.
var sceneOf = map[string]string{cell.NetworkSinkhole: report.SceneSinkhole, cell.NetworkUser: report.SceneUser, cell.NetworkLab: report.SceneSegment}

// cards drills what the cell's cards are served by.
func (d *drill) cards(ctx context.Context, r *report.Report) error {
	for _, p := range cardProcesses(d.Cell) {
		enter := func(ctx context.Context, _ attack.Attempt) (*attack.Fixture, error) { return d.inCard(ctx, p) }
		if err := d.service(ctx, r, p.scene, attack.CardAttempts(), enter); err != nil {
			return err
		}
	}
	return nil
}

// service has an attacker in the place of a service make all attempts, and then those with what it was handed.
func (d *drill) service(ctx context.Context, r *report.Report, scene string, own []attack.Attempt, enter func(context.Context, attack.Attempt) (*attack.Fixture, error)) error {
	d.stacks = nil
	general := attack.Round{Rows: attack.All(), Enter: enter, Made: d.reportsOf(r, scene, report.PhaseRun), Paired: true,
		Spent: func(_ attack.Attempt, v report.Verdict) bool { return v == report.Escaped }}
	if err := general.Run(ctx); err != nil {
		return err
	}
	with := attack.Round{Rows: own, Enter: enter, Made: d.reportsOf(r, scene, report.PhaseRun),
		Spent: func(attack.Attempt, report.Verdict) bool { return true }} // each has other ends of its own
	return with.Run(ctx)
}

// filesOf gives a process the files that it has, and its keeper's end of what it asks.
func (p cardProcess) filesOf(dir string) (files []tool.File, side *attack.BrokerSide, err error) {
	scratch := func(names ...string) {
		for _, name := range names {
			f, ferr := os.OpenFile(filepath.Join(dir, "card-"+name), os.O_RDWR|os.O_CREATE, 0o600)
			if err = ferr; err != nil {
				return
			}
			files = append(files, tool.File{Name: name, File: f})
		}
	}
	if p.capture != nil {
		sock, err := network.Listen("lo")
		if err != nil {
			return nil, nil, err
		}
		files = append(files, tool.File{Name: netjob.CaptureSocket, File: sock})
		scratch(netjob.CaptureOne, netjob.CaptureTwo)
		return files, nil, err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	unix.Close(fds[0])
	files = append(files, tool.File{Name: netjob.FileNIC, File: os.NewFile(uintptr(fds[1]), netjob.FileNIC)})
	if scratch(netjob.FileLog, netjob.FileLogThen); err == nil && p.network.CaptureMax > 0 {
		scratch(netjob.CaptureOne, netjob.CaptureTwo)
	}
	if err == nil && p.network.Mode == cell.NetworkLab {
		l, lerr := unixsock.Listen(filepath.Join(dir, "card-join"))
		if lerr != nil {
			return files, nil, lerr
		}
		defer l.Close()
		f, lerr := l.File()
		if lerr != nil {
			return files, nil, lerr
		}
		_ = os.Remove(filepath.Join(dir, "card-join"))
		files = append(files, tool.File{Name: netjob.FileJoin, File: f})
	}
	if err == nil && p.network.Mode == cell.NetworkUser {
		ours, theirs, perr := broker.Pair()
		if perr != nil {
			return files, nil, perr
		}
		files = append(files, tool.File{Name: netjob.FileBroker, File: theirs})
		side = &attack.BrokerSide{}
		err = side.Serve(ours)
	}
	return files, side, err
}

// inCard puts an attacker into the jail of such a process.
func (d *drill) inCard(ctx context.Context, p cardProcess) (*attack.Fixture, error) {
	files, broker, err := p.filesOf(d.bait.Dir)
	defer func() {
		for _, f := range files {
			f.File.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	var j tool.Job
	if p.capture != nil {
		j = provision.CaptureJob(p.capture)
	} else {
		j = provision.NetworkJob(p.network)
	}
	j.Files = files
	spec, err := tool.Jail(d.Facts, j)
	if err != nil {
		return nil, err
	}
	ours, control, err := commandPair()
	if err != nil {
		return nil, err
	}
	defer control.Close()
	return d.inPlace(ctx, spec, append([]tool.File{{Name: "control", File: control}}, files...), &attack.Fixture{Broker: broker, Card: ours})
}

// inPlace puts an attacker into the jail of a service, with what that is handed, in that order. s is what the drill has
// of the other ends.
func (d *drill) inPlace(ctx context.Context, spec linuxjail.Spec, handed []tool.File, s *attack.Fixture) (*attack.Fixture, error) {
	conn, commands, err := commandPair()
	if err != nil {
		s.HangUp()
		return nil, err
	}
	defer commands.Close()
	spec.FDs = nil
	for _, f := range handed {
		spec.FDs = append(spec.FDs, jail.FD{Name: f.Name, File: f.File})
	}
	spec.FDs = append(spec.FDs, jail.FD{Name: attack.CommandSocket, File: commands})
	spec.Root, spec.Path = d.harness.Spec.Root, d.harness.Spec.Path
	spec.Root.Copies, spec.Root.Nodes, spec.WithCaller = nil, nil, false // it goes from thread to thread
	// Its number of arguments is the number of that descriptor, and the plus sign says that it is connected.
	spec.Argv = make([]string, linuxjail.FDNumber(len(spec.FDs)-1))
	spec.Argv[0] = "+"
	s.Bait, s.Neighbour, s.Plan, s.Spec, s.Stacks, s.Measuring = d.bait, d.neighbour, d.harness.Plan, spec, &d.stacks, d.measuring
	for _, l := range spec.Limits {
		if l.Name == "fsize" {
			s.Bound = l
		}
	}
	return d.begin(ctx, s, conn)
}
