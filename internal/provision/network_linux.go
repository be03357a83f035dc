package provision

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/reader"
	"skep/internal/sink"
	"skep/internal/tool"
	"skep/internal/unixsock"
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
)

// userNetwork is the network in user space of one card.
type userNetwork struct {
	mu      sync.Mutex
	service *tool.Service
	gone    bool // released
}

// acquireNetwork starts the network of a card. QEMU need not have started: it finds the connection waiting.
func (t *linuxProvisioner) acquireNetwork(s *plan.Network) error {
	service, err := t.serveNetwork(s)
	if err != nil {
		return err
	}
	n := &userNetwork{service: service}
	t.networks[s.Label] = n
	go t.keepNetwork(s, n)
	return nil
}

// keepNetwork starts a network again that has ended by itself: what the guest sent it was its undoing, or the
// hypervisor hung up.
func (t *linuxProvisioner) keepNetwork(s *plan.Network, n *userNetwork) {
	var starts []time.Time
	for {
		n.mu.Lock()
		service := n.service
		n.mu.Unlock()
		<-service.Done()
		n.mu.Lock()
		if n.gone {
			n.mu.Unlock()
			return
		}
		if err := service.Err(); err != nil {
			t.env.Notify(fmt.Sprintf("the network of card %s has ended: %s%s", s.Label, err, lastSaid(service.Said())))
		}
		now := time.Now()
		for len(starts) > 0 && now.Sub(starts[0]) > networkWithin {
			starts = starts[1:]
		}
		if len(starts) >= networkTries {
			n.mu.Unlock()
			t.env.Notify(fmt.Sprintf("network card %s leads nowhere from now on: its network ended %d times within %s", s.Label, networkTries, networkWithin))
			return
		}
		starts = append(starts, now)
		again, err := t.serveNetwork(s)
		if err != nil {
			n.mu.Unlock()
			t.env.Notify(fmt.Sprintf("network card %s leads nowhere from now on: %s", s.Label, err))
			return
		}
		n.service = again
		n.mu.Unlock()
	}
}

// lastSaid is what a network said at its end, shortened.
func lastSaid(out tool.Output) string {
	line, _, _ := strings.Cut(out.Words, "\n")
	if line == "" {
		return ""
	}
	return ": " + line[:min(len(line), 200)]
}

// dropNetwork ends it. Its hypervisor has ended before, and so will it.
func (t *linuxProvisioner) dropNetwork(s *plan.Network) {
	n := t.networks[s.Label]
	if n == nil {
		return
	}
	n.mu.Lock()
	n.gone = true
	service := n.service
	n.mu.Unlock()
	service.Stop(networkGrace)
	delete(t.networks, s.Label)
}

// serveNetwork starts one: it gets its connection to the hypervisor, its record, and what it answers with.
func (t *linuxProvisioner) serveNetwork(s *plan.Network) (*tool.Service, error) {
	j := tool.Job{Tool: tool.Reader(reader.Sinkhole), Limits: tool.Limits{Memory: networkMemory, Wall: networkStart, FileSize: int64(s.LogMax)}}
	defer func() {
		for _, f := range j.Files {
			f.File.Close()
		}
	}()
	add := func(name string, f *os.File, err error) error {
		if err == nil {
			j.Files = append(j.Files, tool.File{Name: name, File: f})
		}
		return err
	}
	conn, err := unixsock.Dial(s.Socket)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "connect the network of card %q", s.Label)
	}
	f, err := conn.File()
	conn.Close()
	if err := add(sink.FileNIC, f, err); err != nil {
		return nil, err
	}
	for name, path := range map[string]string{sink.FileLog: s.Log, sink.FileLogThen: layout.OlderHalf(s.Log)} {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err := add(name, f, err); err != nil {
			return nil, fault.Wrap(fault.Host, err, HintFull, "keep the record of network card %q", s.Label)
		}
	}
	c := sink.Config{NIC: s.Label, Host: t.cell.Name, DNS: s.DNS, LogMax: int64(s.LogMax), Memory: networkMemory}
	for _, a := range s.Answers {
		f, err := openPlain(a.File)
		if err := add(sink.AnswerFile(a.Of), f, err); err != nil {
			return nil, plan.Located(t.cell, "nic."+s.Label+".answer."+a.Of+".file", fault.Wrap(fault.Input, err, pathHint(err), "answer with %s", a.File))
		}
		c.Answers = append(c.Answers, a.Of)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	j.Args = []string{string(text)}
	return t.env.Serve(j)
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
