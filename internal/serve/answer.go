package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/page"
)

// Host is what there is to see and to do: the command line's own ways.
type Host interface {
	Cells() (any, error)
	Audit(ctx context.Context, name string) (any, error)
	// Console is somebody's alone until done is called.
	Console(ctx context.Context, name string) (device *os.File, done func(), err error)
	Log(name, of string) (*os.File, error) // nil where there is none
	Screen(name string) (*os.File, error)
	Picture(ctx context.Context, name string) ([]byte, error)
	File(name string) (any, error)
	Save(name, text string) (any, error)
	Events() (any, error)
	// Run runs skep as somebody and returns what it printed.
	Run(ctx context.Context, who Person, args ...string) ([]byte, error)
	Metrics(ctx context.Context) ([]byte, error)
}

type reply struct {
	page.Reply
	files []*os.File
}

// answer does one thing for whoever asks, if they may.
func (s *Server) answer(ctx context.Context, a page.Ask) reply {
	switch a.Do {
	case page.Login:
		session, who, ok := s.people.login(a.Text)
		if !ok {
			return failed(errUnknown)
		}
		s.Say("%s came by a link and may %s", who.Name, what(who.May))
		return body(struct {
			Session string `json:"session"`
		}{session}, nil)
	case page.Person:
		s.certified(a)
		return reply{Reply: page.Reply{Status: http.StatusOK}}
	}
	who, no := s.who(a)
	if no != nil {
		return failed(no)
	}
	if a.Cell != "" {
		if err := cell.ValidInstance(a.Cell); err != nil {
			return failed(fault.Fail(fault.Input, "", "%v", err))
		}
	}
	return s.does(ctx, who, a)
}

func what(may May) string {
	switch may {
	case Look:
		return "only look"
	case All:
		return "do all"
	}
	return "do what cell files say"
}

func (s *Server) does(ctx context.Context, who Person, a page.Ask) reply {
	switch a.Do {
	case page.Me:
		return body(me{page.Version, s.Setup.Host, s.Setup.OS, s.Setup.Version, who.Name, who.May}, nil)
	case page.Cells:
		list, err := s.lists.get(s.Host.Cells)
		if l, ok := list.(List); err == nil && who.May == Some && ok {
			list = l.Of(who.rights)
		} else if err == nil && who.May == Some {
			list = nil // and not everybody's
		}
		return body(list, err)
	case page.Audit:
		return body(s.Host.Audit(ctx, a.Cell))
	case page.Console:
		return s.console(ctx, who, a.Cell)
	case page.Log:
		f, err := s.Host.Log(a.Cell, a.Text)
		r := body(struct{}{}, err)
		if f != nil {
			r.files = []*os.File{f}
		}
		return r
	case page.Screen:
		f, err := s.Host.Screen(a.Cell)
		r := body(struct{}{}, err)
		if f != nil {
			r.files = []*os.File{f}
		}
		return r
	case page.Picture:
		return data(s.Host.Picture(ctx, a.Cell))
	case page.Metrics:
		return data(s.Host.Metrics(ctx))
	case page.File:
		return body(s.Host.File(a.Cell))
	case page.Events:
		return body(s.Host.Events())
	case page.Save:
		s.Say("%s writes the file of %s", who.Name, a.Cell)
		return body(s.Host.Save(a.Cell, a.Text))
	case page.Link:
		return s.link(who, a)
	}
	return s.command(ctx, who, a)
}

// link makes a link for somebody else: for a user of this host, who may what that user may, or for anybody.
func (s *Server) link(who Person, a page.Ask) reply {
	guest := Person{Name: who.Name, UID: who.UID, May: All}
	if a.Look {
		guest.May = Look
	}
	if a.Text != "" {
		var err error
		if guest, err = s.Named(a.Text); err != nil {
			return failed(err)
		}
		switch {
		case a.Look && guest.May == All:
			guest.May = Look
		case a.Look && guest.May == Nothing: // the link would be good for more than it was asked for
			return failed(fault.New(fault.Input, "leave read_only out, or as",
				"make a link for %s who may only look: access blocks say what that user may", a.Text))
		}
	}
	s.Say("%s makes a link for somebody who may %s", who.Name, what(guest.May))
	return body(struct {
		Version int    `json:"version"`
		Path    string `json:"path"`
		May     May    `json:"may"`
	}{page.Version, "/login?token=" + s.people.link(guest), s.settle(guest).May}, nil)
}

// me is who is asked for and what they may.
type me struct {
	Version int    `json:"version"`
	Host    string `json:"host"`
	OS      string `json:"os"`
	Skep    string `json:"skep"`
	User    string `json:"user"`
	May     May    `json:"may"`
}

// command runs the verb that does what is asked for.
func (s *Server) command(ctx context.Context, who Person, a page.Ask) reply {
	var args []string
	changes := true
	switch a.Do {
	case page.Act:
		verb, ok := page.Verbs[a.Text]
		if !ok {
			return failed(fault.Fail(fault.Input, "", "unknown verb %q", a.Text))
		}
		args = append(slices.Clone(verb), "--", a.Cell)
	case page.Snapshot:
		args = []string{"snapshot", "--", a.Cell}
		if a.Text != "" {
			args = append(args, a.Text)
		}
	case page.Revert:
		args = []string{"revert", "--", a.Cell, a.Text}
	case page.Forget:
		args = []string{"snapshot", "rm", "--", a.Cell, a.Text}
	default:
		changes = false
		switch a.Do {
		case page.Show:
			args = []string{"show", "--json", "--", a.Cell}
		case page.Snapshots:
			args = []string{"snapshot", "ls", "--json", "--", a.Cell}
		case page.Plan:
			args = []string{"plan", "--json", "--", a.Cell}
		case page.Explain:
			args = []string{"explain", "--json", "--", a.Cell}
		case page.Images:
			args = []string{"image", "ls", "--json"}
		default:
			return failed(&page.Fault{Status: http.StatusNotFound, Code: "not-found", Message: "this skep has no such thing"})
		}
	}
	if changes {
		s.Say("%s: skep %s", who.Name, words(args))
		// Whoever started it may have left: it goes on.
		ctx = context.WithoutCancel(ctx)
		defer s.lists.drop()
	}
	if !changes && who.May == Some {
		who = s.Owner // who may read is decided already; the keeper looks again at those who change something
	}
	out, err := s.Host.Run(ctx, who, args...)
	if err != nil || !changes {
		return body(json.RawMessage(out), err)
	}
	return body(struct {
		Version int  `json:"version"`
		OK      bool `json:"ok"`
	}{page.Version, true}, nil)
}

func words(args []string) (s string) {
	for i, a := range args {
		if a == "--" {
			continue
		}
		if i > 0 {
			s += " "
		}
		s += a
	}
	return s
}

// console hands the page a console: the log for whoever may only look, or while somebody else is there; else the
// device too, once.
func (s *Server) console(ctx context.Context, who Person, name string) reply {
	var log *os.File
	var err error
	if who.May != Some || slices.Contains(who.rights[name], cell.MayRead) {
		if log, err = s.Host.Log(name, ""); err != nil {
			return failed(err)
		}
	}
	var files []*os.File
	if log != nil {
		files = append(files, log)
	}
	word := struct {
		MayType bool   `json:"may_type"`
		Reason  string `json:"reason,omitempty"`
	}{}
	if who.May != All && !slices.Contains(who.rights[name], cell.MayConsole) {
		word.Reason = "you may only look"
		return with(files, 0, word)
	}
	s.mu.Lock()
	for _, l := range s.leases {
		word.MayType = word.MayType || l.cell == name
	}
	s.mu.Unlock()
	if word.MayType { // the page has it already
		return with(files, 0, word)
	}
	device, done, err := s.Host.Console(ctx, name)
	if err != nil {
		f := faultOf(err)
		word.Reason = f.Message
		return with(files, 0, word)
	}
	if log == nil { // the page tells what it is handed by its place
		if log, err = os.Open(os.DevNull); err != nil {
			done()
			device.Close()
			return failed(err)
		}
		files = append(files, log)
	}
	word.MayType = true
	s.mu.Lock()
	s.next++
	number := s.next
	s.leases[number] = &lease{cell: name, free: done}
	s.mu.Unlock()
	return with(append(files, device), number, word)
}

func with(files []*os.File, lease uint64, v any) reply {
	r := body(v, nil)
	r.files, r.Lease = files, lease
	return r
}

func body(v any, err error) reply {
	if err == nil {
		var text []byte
		if text, err = json.Marshal(v); err == nil {
			return reply{Reply: page.Reply{Status: http.StatusOK, Body: text}}
		}
	}
	return failed(err)
}

func data(b []byte, err error) reply {
	if err != nil {
		return failed(err)
	}
	return reply{Reply: page.Reply{Status: http.StatusOK, Data: b}}
}

func failed(err error) reply {
	f := faultOf(err)
	return reply{Reply: page.Reply{Status: f.Status, Fault: f}}
}

// statuses are those of HTTP for exit statuses of skep.
var statuses = map[fault.Code]int{fault.Input: http.StatusBadRequest, fault.Busy: http.StatusServiceUnavailable, fault.Host: http.StatusConflict}

// faultOf is an error as the page tells it.
func faultOf(err error) *page.Fault {
	f := new(page.Fault)
	if errors.As(err, &f) {
		return f
	}
	code := fault.CodeOf(err)
	f.Status, f.Code, f.Message = http.StatusInternalServerError, "host", err.Error()
	if status, ok := statuses[code]; ok {
		f.Status = status
	}
	for _, c := range fault.Codes {
		if c.Code == code {
			f.Code = c.Name
		}
	}
	e := new(fault.Error)
	if errors.As(err, &e) {
		f.Hint = e.Hint
	}
	return f
}

// lists keeps the list of cells for a moment: many may look at once.
type lists struct {
	mu   sync.Mutex
	last any
	when time.Time
}

const listTime = time.Second

func (l *lists) get(look func() (any, error)) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != nil && time.Since(l.when) < listTime {
		return l.last, nil
	}
	v, err := look()
	if err == nil {
		l.last, l.when = v, time.Now()
	}
	return v, err
}

func (l *lists) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = nil
}
