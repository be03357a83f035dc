//go:build linux || freebsd

package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/address"
	"skep/internal/broker"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layer"
	"skep/internal/layout"
	"skep/internal/netjob"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/reader"
	"skep/internal/store"
	"skep/internal/tool"
)

// Bounds of a network in user space.
const (
	networkMemory = 256 << 20
	networkStart  = 30 * time.Second
	// networkGrace is how long one may go on once its hypervisor has ended: its record is not written yet.
	networkGrace = 2 * time.Second
	// A network that ends by itself is started again, so many times within so long.
	networkTries  = 5
	networkWithin = 10 * time.Minute
	// One that cannot be started is tried again so much later, and is given up after as many tries.
	networkPause = time.Second
)

// A kept service is a network or a capture of one card, which is started again when it ends by itself.
type kept struct {
	id    string // of its resource
	what  string // "the network", "the capture"
	label string
	start func() (*tool.Service, error)
	hang  func() // says that it is to end by itself; nil where its hypervisor's end does

	mu       sync.Mutex
	service  *tool.Service
	restarts int
	gone     bool // released
}

// keep starts a service and has it kept.
func (t system) keep(id, what, label string, start func() (*tool.Service, error)) error {
	service, err := start()
	if err != nil {
		return err
	}
	k := &kept{id: id, what: what, label: label, start: start, service: service}
	t.kept[what+label] = k
	t.env.Serving(id, k.seen())
	go k.follow(t.env)
	return nil
}

// seen is who it is now, for who looks at it.
func (k *kept) seen() *store.Service {
	s := k.service
	v := &store.Service{ID: k.id, PID: s.PID, Start: s.Start, UID: s.UID, GID: s.GID, Restarts: k.restarts}
	if r := s.Jail; r != nil {
		v.Calls, v.Sealed, v.Filters = r.RunCalls, r.Sealed, r.FilterCount()
		v.OwnUID, v.EmptyRootfs = layer.On(r.Layers, layer.OwnUID), layer.On(r.Layers, layer.EmptyRootfs)
	}
	return v
}

// follow starts a service again that has ended by itself: what the guest sent it was its undoing, or the
// hypervisor hung up.
func (k *kept) follow(env Env) {
	var starts []time.Time
	for service := k.service; service != nil; {
		<-service.Done()
		k.mu.Lock()
		if err := service.Err(); err != nil && !k.gone {
			env.Noted(fmt.Sprintf("%s of card %s has ended: %s%s", k.what, k.label, err, lastSaid(service.Said())))
		}
		k.mu.Unlock()
		for later := true; later; {
			if service, later = k.again(env, &starts); later {
				time.Sleep(networkPause)
			}
		}
	}
}

// again is the next service, nil where there is to be none, or none yet: later says that it is to be tried again. A
// guest whose network cannot be had any more goes on without it, and leads nowhere: the audit fails.
func (k *kept) again(env Env, starts *[]time.Time) (next *tool.Service, later bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return nil, false
	}
	now := time.Now()
	for len(*starts) > 0 && now.Sub((*starts)[0]) > networkWithin {
		*starts = (*starts)[1:]
	}
	if len(*starts) >= networkTries {
		env.Noted(fmt.Sprintf("%s of card %s is not started again: it was tried %d times within %s", k.what, k.label, networkTries, networkWithin))
		return nil, false
	}
	*starts = append(*starts, now)
	again, err := k.start()
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, false // nobody listens: the hypervisor has ended, and that is told elsewhere
	}
	if err != nil {
		env.Noted(fmt.Sprintf("%s of card %s cannot be started again yet: %s", k.what, k.label, err))
		return nil, true
	}
	k.service = again
	k.restarts++
	env.Serving(k.id, k.seen())
	return again, false
}

// end ends a service. Its hypervisor has ended before, and so will it.
func (t system) end(what, label string, grace time.Duration) {
	k := t.kept[what+label]
	if k == nil {
		return
	}
	k.mu.Lock()
	k.gone = true
	service := k.service
	if k.hang != nil {
		k.hang()
	}
	k.mu.Unlock()
	service.Stop(grace)
	t.env.Serving(k.id, nil)
	delete(t.kept, what+label)
}

// lastSaid is what a service said at its end, shortened.
func lastSaid(out tool.Output) string {
	line, _, _ := strings.Cut(out.Words, "\n")
	if line == "" {
		return ""
	}
	return ": " + line[:min(len(line), 200)]
}

// What is kept of a card.
const (
	theNetwork = "the network"
	theCapture = "the capture"
)

// Rights of what the processes of a network are handed on FreeBSD. The audit has the same table.
const (
	rightsRecord = "read write seek seek_tell fstat ftruncate fcntl"
	rightsAnswer = "read seek seek_tell fstat fcntl"
	rightsSocket = "read write event fcntl getsockopt setsockopt getpeername getsockname shutdown"
)

// NetworkJob is what the jail of a network follows from, but for its files.
func NetworkJob(s *plan.Network) tool.Job {
	j := tool.Job{Tool: tool.Reader(reader.Sinkhole), Limits: tool.Limits{Memory: networkMemory, Wall: networkStart, FileSize: int64(max(s.LogMax, s.CaptureMax/2))}}
	switch s.Mode {
	case cell.NetworkUser:
		j.Tool, j.Connections = tool.Reader(reader.UserNet), netjob.MostSockets
	case cell.NetworkLab:
		j.Tool, j.Connections = tool.Reader(reader.Segment), netjob.MostPeers
	}
	return j
}

// CaptureJob is what the jail of a capture follows from, but for its files.
func CaptureJob(s *plan.Capture) tool.Job {
	return tool.Job{Tool: tool.Reader(reader.Capture), Receives: true,
		Limits: tool.Limits{Memory: networkMemory, Wall: networkStart, FileSize: int64(s.Max / 2)}}
}

// closeFiles closes what a service has by now.
func closeFiles(all []tool.File) {
	for _, f := range all {
		f.File.Close()
	}
}

// adding adds a file to a job, unless there was an error, good for those rights on FreeBSD.
func adding(j *tool.Job, rights string) func(string, *os.File, error) error {
	return func(name string, f *os.File, err error) error {
		if err == nil {
			j.Files = append(j.Files, tool.File{Name: name, File: f, Rights: rights})
		}
		return err
	}
}

// serveCard starts the network of a card, which has its frames by now: it gets its record, and what it answers with.
func serveCard(t system, s *plan.Network, j *tool.Job, frames int) (*tool.Service, error) {
	record, answer := adding(j, rightsRecord), adding(j, rightsAnswer)
	for name, path := range map[string]string{netjob.FileLog: s.Log, netjob.FileLogThen: layout.OlderHalf(s.Log)} {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err := record(name, f, err); err != nil {
			return nil, fault.Wrap(fault.Host, err, HintFull, "keep the record of network card %q", s.Label)
		}
	}
	c := netjob.Sinkhole{NIC: s.Label, Host: t.cell.Name, DNS: s.DNS, LogMax: int64(s.LogMax), CaptureMax: int64(s.CaptureMax / 2), Memory: networkMemory,
		Frames: frames}
	if s.Capture != "" {
		files, err := captureFiles(s.Label, s.Capture)
		j.Files = append(j.Files, files...)
		if err != nil {
			return nil, err
		}
	}
	if s.CA != "" {
		ca, key, err := sinkholeCA(s.CA, t.cell.Name)
		if err != nil {
			return nil, err
		}
		c.CA, c.CAKey = string(ca), string(key)
	}
	for _, a := range s.Answers {
		f, err := openPlain(a.File)
		if err := answer(netjob.AnswerFile(a.Of), f, err); err != nil {
			return nil, plan.Located(t.cell, "nic."+s.Label+".answer."+a.Of+".file", fault.Wrap(fault.Input, err, pathHint(err), "answer with %s", a.File))
		}
		c.Answers = append(c.Answers, a.Of)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	j.Args = []string{string(text)}
	if s.Mode == cell.NetworkUser {
		return serveUser(t, s, *j)
	}
	return t.env.Serve(*j)
}

// serveUser starts a network that leads somewhere, and answers what it asks.
func serveUser(t system, s *plan.Network, j tool.Job) (*tool.Service, error) {
	var rules []address.Rule
	for _, text := range s.Allow {
		r, err := address.ParseRule(text)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	own, err := network.Own()
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "look which networks this host is on")
	}
	ours, theirs, err := broker.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	j.Files = append(slices.Clone(j.Files), tool.File{Name: netjob.FileBroker, File: theirs, Rights: rightsSocket})
	service, err := t.env.Serve(j)
	if err != nil {
		ours.Close()
		return nil, err
	}
	go broker.NewBroker(broker.NewPolicy(rules, own)).Serve(ours)
	return service, nil
}

// lookAtNetwork looks at the files that it answers with.
func lookAtNetwork(s *plan.Network) (errs []error) {
	for _, a := range s.Answers {
		f, err := openPlain(a.File)
		if err != nil {
			errs = append(errs, fault.Wrap(fault.Input, err, pathHint(err), "answer with %s", a.File))
			continue
		}
		f.Close()
	}
	return errs
}

// captureFiles opens the two files of a capture.
func captureFiles(label, base string) (all []tool.File, err error) {
	for i, path := range layout.Captures(base) {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return all, fault.Wrap(fault.Host, err, HintFull, "capture the frames of network card %q", label)
		}
		all = append(all, tool.File{Name: []string{netjob.CaptureOne, netjob.CaptureTwo}[i], File: f, Rights: rightsRecord})
	}
	return all, nil
}
