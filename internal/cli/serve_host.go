package cli

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"skep/internal/access"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/metrics"
	"skep/internal/page"
	"skep/internal/plan"
	"skep/internal/serve"
	"skep/internal/store"
	"skep/internal/unixsock"
	used "skep/internal/usage"
)

// served is what skep serve shows and does, by the ways that the other verbs have.
type served struct {
	a    *app
	dirs host.Dirs
	exe  string

	counts *metrics.Metrics

	mu   sync.Mutex
	fits map[string]fit
}

// fit is what does not change while a hypervisor runs.
type fit struct {
	start  uint64
	taps   []string
	cpus   int
	memory int64
	rules  access.Rules
}

// servedCell is a cell as the page shows it.
type servedCell struct {
	cellJSON
	HasScreen bool      `json:"has_screen"`
	CPUs      int       `json:"cpus,omitempty"`
	Memory    int64     `json:"memory,omitempty"`
	Use       *used.Use `json:"use,omitempty"`
}

// servedCells is the list of them.
type servedCells struct {
	Version int          `json:"version"`
	Cells   []servedCell `json:"cells"`
}

// Of is what somebody sees of it who has access to some of them.
func (l servedCells) Of(rights map[string][]string) any {
	some := servedCells{l.Version, []servedCell{}}
	for _, c := range l.Cells {
		if may := rights[c.Name]; len(may) > 0 {
			c.Owner, c.May = rootsOwn, may
			some.Cells = append(some.Cells, c)
		}
	}
	return some
}

// Rights are what the files of running cells give somebody: those cells have a socket for others.
func (s *served) Rights(who access.Who) map[string][]string {
	entries, _ := os.ReadDir(s.dirs.AccessDir())
	rights := map[string][]string{}
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), layout.Socket(""))
		if !is || cell.ValidInstance(name) != nil {
			continue
		}
		if may := s.fit(name).rules.May(who); len(may) > 0 {
			rights[name] = may
		}
	}
	return rights
}

// Cells lists every cell with what it uses.
func (s *served) Cells() (any, error) {
	cells, err := listCells(s.dirs)
	if err != nil {
		return nil, err
	}
	all := make([]servedCell, len(cells))
	for i := range cells {
		cells[i].noteFile(s.dirs)
		all[i] = servedCell{cellJSON: cells[i], HasScreen: cells[i].Screen != ""}
		if cells[i].PID == 0 {
			continue
		}
		f := s.fit(cells[i].Name)
		all[i].CPUs, all[i].Memory = f.cpus, f.memory
		if u, err := used.Of(cells[i].PID, f.taps); err == nil {
			all[i].Use = &u
		}
	}
	return servedCells{page.Version, all}, nil
}

// fit reads the plan of a running cell once in its life.
func (s *served) fit(name string) fit {
	st := store.View(s.dirs)
	short, _, err := st.ReadState(name)
	if err != nil {
		return fit{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.fits[name]; ok && f.start == short.PIDStart {
		return f
	}
	d, _, err := st.ReadDetail(name)
	if err != nil || d.Cell == nil || d.Plan == nil {
		return fit{}
	}
	f := fit{start: d.PIDStart, cpus: d.Cell.CPUs, memory: int64(d.Cell.Memory)}
	for _, t := range plan.Specs[*plan.Tap](d.Plan) {
		f.taps = append(f.taps, t.Name)
	}
	for _, o := range plan.Specs[*plan.Access](d.Plan) {
		f.rules, _ = access.Resolve(o.Rules)
	}
	if s.fits == nil {
		s.fits = map[string]fit{}
	}
	s.fits[name] = f
	return f
}

// Audit looks at a cell from outside.
func (s *served) Audit(_ context.Context, name string) (any, error) {
	r, err := s.a.auditCell(name)
	if err != nil {
		return nil, auditFault(err)
	}
	return r, nil
}

// Console joins a console, which is then nobody else's until done is called.
func (s *served) Console(ctx context.Context, name string) (*os.File, func(), error) {
	lost := fault.Cannot(fault.Host, "", "join the console of", name, "it is not running")
	s.a.adoptFirst(ctx, s.dirs, name)
	st := store.View(s.dirs)
	lock, err := st.LockConsole(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, lost
	}
	if err != nil {
		return nil, nil, err
	}
	file, err := dialFile(filepath.Join(st.RunDir(name), layout.Socket(layout.Console)))
	if err != nil {
		lock.Unlock()
		return nil, nil, lost
	}
	return file, func() { lock.Unlock() }, nil
}

func dialFile(path string) (*os.File, error) {
	conn, err := unixsock.Dial(path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.File()
}

// Log opens the log of a cell's console, or of its hypervisor. It is not read here.
func (s *served) Log(name, of string) (*os.File, error) {
	if err := s.a.mustKnow(s.dirs, name); err != nil {
		return nil, err
	}
	file := layout.ConsoleLog
	if of == "hypervisor" {
		file = layout.HypervisorLog
	}
	f, err := os.Open(filepath.Join(store.View(s.dirs).StateDir(name), file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// Screen connects to a cell's screen.
func (s *served) Screen(name string) (*os.File, error) {
	st, held, err := store.View(s.dirs).ReadState(name)
	switch {
	case err != nil:
		return nil, err
	case !held || st.Screen == "":
		return nil, fault.Cannot(fault.Host, "", "show the screen of", name, "it does not run, or has none")
	}
	if filepath.IsAbs(st.Screen) {
		return dialFile(st.Screen)
	}
	conn, err := dialTCP(st.Screen)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "show the screen of %s", name)
	}
	defer conn.Close()
	return conn.File()
}

// Picture is what is on a cell's screen now, as PNG.
func (s *served) Picture(ctx context.Context, name string) ([]byte, error) {
	cl, err := keeper.Dial(store.View(s.dirs).RunDir(name))
	if err != nil {
		return nil, fault.Cannot(fault.Host, "", "take a screenshot of", name, "it is not running")
	}
	defer cl.Close()
	return cl.Ask(ctx, "screenshot", "skep serve")
}

// servedFile is a cell file as the page shows it.
type servedFile struct {
	Version  int    `json:"version"`
	Path     string `json:"path"`
	Text     string `json:"text"`
	Writable bool   `json:"writable"` // only what lies in the configuration directory is
}

// File reads the file of a cell.
func (s *served) File(name string) (any, error) {
	path, err := editable(s.dirs, name)
	if err != nil {
		return nil, err
	}
	src, abs, err := readCellFile(path)
	if err != nil {
		return nil, err
	}
	return servedFile{page.Version, abs, string(src), path == s.dirs.CellFile(name)}, nil
}

// Save replaces the file of a cell in the configuration directory, once it has no mistakes.
func (s *served) Save(name, text string) (any, error) {
	if err := plainName(name); err != nil {
		return nil, err
	}
	path := s.dirs.CellFile(name)
	c, diags := parse(path, []byte(text))
	if len(diags) > 0 {
		return nil, fault.Wrap(fault.Input, diags, "the file stays as it was", "write %s", path)
	}
	if c.Name != name {
		return nil, fault.Cannot(fault.Input, "rename the cell", "write", path, "it holds the cell %q, not %q", c.Name, name)
	}
	if err := os.MkdirAll(s.dirs.CellFiles(), 0o755); err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	if err := trustedDir(s.dirs); err != nil {
		return nil, err
	}
	if err := rewrite(path, []byte(text)); err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	return servedFile{page.Version, path, text, true}, nil
}

// Run runs a verb as a process of its own, as whoever asks for it.
func (s *served) Run(ctx context.Context, who serve.Person, args ...string) ([]byte, error) {
	at := slices.Index(args, "--")
	if at < 0 {
		at = len(args)
	}
	flags := []string{"--config-dir", s.dirs.Config, "--state-dir", s.dirs.State, "--run-dir", s.dirs.Run}
	cmd := exec.CommandContext(ctx, s.exe, slices.Concat(args[:at], flags, args[at:])...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &said, "/"
	if err := asUser(cmd, who); err != nil {
		return nil, err
	}
	err := cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	exit := new(exec.ExitError)
	if !errors.As(err, &exit) {
		return nil, fault.Wrap(fault.Host, err, "", "run skep")
	}
	return nil, saidFault(fault.Code(exit.ExitCode()), said.String())
}

// saidFault is the error that another skep has printed.
func saidFault(code fault.Code, said string) error {
	var message, hint, rest string
	for line := range strings.Lines(said) {
		line = strings.TrimSuffix(line, "\n")
		if m, ok := strings.CutPrefix(line, "skep: error: "); ok {
			message = m
		} else if h, ok := strings.CutPrefix(line, "skep: hint: "); ok {
			hint = h
		} else if !strings.HasPrefix(line, "skep: note: ") {
			rest += line + "\n"
		}
	}
	if message == "" {
		message = cell.Printable(strings.TrimSpace(rest))
	}
	return fault.Fail(code, hint, "%s", message)
}

// mayHere: root and whoever the cells are of may do all.
func mayHere(dirs host.Dirs) func(uid int) serve.May {
	owner := os.Geteuid()
	if info, err := os.Stat(dirs.State); err == nil {
		owner = ownerOf(info)
	}
	return func(uid int) serve.May {
		if uid == 0 || uid == owner {
			return serve.All
		}
		return serve.Nothing
	}
}
