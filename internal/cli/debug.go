package cli

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/audit"
	"skep/internal/cell"
	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/process"
	"skep/internal/store"
	"skep/internal/version"
)

func (a *app) debug() *cobra.Command {
	var output, profile string
	cmd := &cobra.Command{
		Use:   "debug NAME",
		Short: "Write one tar with what a bug report needs",
		Long: `Write NAME-debug.tar, for a bug report: the stacks of the cell's keeper, its log
and its journal, the open files of keeper and hypervisor, the cell's state, an
audit, and what this host is. README in it says what each file is.

Nothing of the guest's is in it: neither console nor screen nor disks, not what
the hypervisor says, not the cell file. Paths, names and addresses of the host
are; look through it before you send it.

--profile writes one profile of the keeper instead, for go tool pprof.`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err != nil {
				return err
			}
			if err := a.mustKnow(dirs, name); err != nil {
				return err
			}
			if profile != "" {
				return a.profile(cmd.Context(), dirs, name, profile, output)
			}
			b, err := a.debugTar(cmd.Context(), dirs, name)
			if err != nil {
				return err
			}
			return a.save(b, output, name+"-debug.tar")
		},
		ValidArgsFunction: a.completeNames,
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, - for standard output")
	cmd.Flags().StringVar(&profile, "profile", "", "one of "+strings.Join(keeper.Profiles(), ", "))
	return cmd
}

// answerBound is how long a keeper may take to say what it does: it may be what is wrong.
const answerBound = 10 * time.Second

// debugFile is one file of the tar: what it is, and how it is come by.
type debugFile struct {
	name, what string
	get        func() ([]byte, error)
}

// debugTar collects it. What cannot be had is a file that says why.
func (a *app) debugTar(ctx context.Context, dirs host.Dirs, name string) ([]byte, error) {
	st := store.View(dirs)
	s, held, err := st.ReadDetail(name)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "read the state of %s", name)
	}
	files := []debugFile{
		{"version.json", "which skep this is", func() ([]byte, error) {
			return json.MarshalIndent(map[string]string{"version": version.String(), "revision": version.Revision()}, "", "  ")
		}},
		{"host.json", "what this host is: skep doctor --json has the same", func() ([]byte, error) {
			f, err := a.probe(ctx, false)
			if err != nil {
				return nil, err
			}
			return json.MarshalIndent(f, "", "  ")
		}},
		{"state.json", "the cell's state, without its last words and the guest's", func() ([]byte, error) {
			return json.MarshalIndent(undisclosing(s, held), "", "  ")
		}},
		{"resources.txt", "what its plan has, by kind", func() ([]byte, error) { return resourceLines(s), nil }},
		{"journal", "what was acquired and released: steps and ids", func() ([]byte, error) { return journalLines(st, name) }},
		{"keeper.log", "what its keeper said, and its stacks if it crashed", func() ([]byte, error) {
			return console.Tail(filepath.Join(st.StateDir(name), layout.KeeperLog), 256<<10)
		}},
		{"stacks.txt", "what each goroutine of its keeper does now", func() ([]byte, error) { return stacks(ctx, dirs, name) }},
		{"handles.txt", "the open files of keeper and hypervisor", func() ([]byte, error) { return handles(st, name, s), nil }},
		{"audit.json", "the hypervisor as it is, against its plan", func() ([]byte, error) {
			if !keeper.Alive(s) {
				return nil, fault.New(fault.Host, "", "audit it: no hypervisor runs")
			}
			r, err := audit.Cell(s)
			if err != nil {
				return nil, err
			}
			return json.MarshalIndent(r, "", "  ")
		}},
	}
	return pack(name+"-debug", files)
}

// pack writes the tar, its README first.
func pack(dir string, files []debugFile) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, b []byte) error {
		h := &tar.Header{Name: dir + "/" + name, Mode: 0o600, Size: int64(len(b)), ModTime: time.Now().UTC().Truncate(time.Second)}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(b)
		return err
	}
	readme := "What skep debug has collected. Nothing of a guest's is in it.\n\n"
	for _, f := range files {
		readme += fmt.Sprintf("%-14s %s\n", f.name, f.what)
	}
	if err := add("README", []byte(readme)); err != nil {
		return nil, err
	}
	for _, f := range files {
		name := f.name
		b, err := f.get()
		if err != nil {
			name, b = f.name+".missing", []byte(err.Error()+"\n")
		}
		if err := add(name, append(bytes.TrimRight(b, "\n"), '\n')); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// undisclosing is a state without what a guest, a cell file or a plan could say: words, keys, command lines.
func undisclosing(s store.State, held bool) any {
	s.LastConsole, s.LastWords, s.Plan, s.Cell = nil, nil, nil, nil
	return struct {
		store.State
		HasKeeper bool `json:"has_keeper"`
		Alive     bool `json:"alive"`
	}{s, held, keeper.Alive(s)}
}

// resourceLines are the resources of its plan by id and kind. What is in them may be the cell file's own.
func resourceLines(s store.State) []byte {
	if s.Plan == nil {
		return []byte("it has no plan now\n")
	}
	var b bytes.Buffer
	for _, r := range s.Plan.Resources {
		fmt.Fprintf(&b, "%-24s %s\n", r.ID, r.Spec.Kind())
	}
	return b.Bytes()
}

// journalLines are the steps of its journal and what they are of.
func journalLines(st *store.Store, name string) ([]byte, error) {
	raw, err := os.ReadFile(st.JournalPath(name))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for line := range bytes.Lines(raw) {
		var e struct {
			Step     string `json:"step"`
			ID       string `json:"id"`
			Boot     string `json:"boot"`
			Resource struct {
				ID string `json:"id"`
			} `json:"resource"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			fmt.Fprintf(&b, "a line of %d bytes that cannot be read: %v\n", len(line), err)
			continue
		}
		fmt.Fprintf(&b, "%s %s%s\n", e.Step, e.ID+e.Resource.ID, e.Boot)
	}
	return b.Bytes(), nil
}

func stacks(ctx context.Context, dirs host.Dirs, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerBound)
	defer cancel()
	cl, err := keeper.Dial(dirs.RunDir(name))
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "ask its keeper")
	}
	defer cl.Close()
	return cl.Stacks(ctx)
}

// handles are the open files of the cell's processes.
func handles(st *store.Store, name string, s store.State) []byte {
	var b bytes.Buffer
	list := func(who string, pid int) {
		if pid <= 0 {
			fmt.Fprintf(&b, "%s: none runs\n", who)
			return
		}
		all, err := process.Handles(pid)
		fmt.Fprintf(&b, "%s, process %d: %d open files\n", who, pid, len(all))
		if err != nil {
			fmt.Fprintf(&b, "  they cannot be read: %v\n", err)
		}
		for _, h := range all {
			fmt.Fprintf(&b, "  %s\n", cell.Printable(h))
		}
	}
	pid, _ := st.Holder(name)
	list("keeper", pid)
	if !keeper.Alive(s) {
		s.PID = 0
	}
	list("hypervisor", s.PID)
	return b.Bytes()
}

// profile writes one profile of the keeper.
func (a *app) profile(ctx context.Context, dirs host.Dirs, name, kind, output string) error {
	if !slices.Contains(keeper.Profiles(), kind) {
		return usage("--profile must be one of %s, got %q", strings.Join(keeper.Profiles(), ", "), kind)
	}
	cl, err := keeper.Dial(dirs.RunDir(name))
	if err != nil {
		return fault.Cannot(fault.Host, "skep up "+name+" starts it", "profile the keeper of", name, "it has none")
	}
	defer cl.Close()
	b, err := cl.Profile(ctx, kind)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "profile the keeper of %s", name)
	}
	return a.save(b, output, name+"-"+kind+".pprof")
}

// save writes what was made to the file that is named, to standard output where that is "-", or to a name
// that nobody has chosen: what has it by now is replaced and never written through, should it be a link of
// somebody else's.
func (a *app) save(b []byte, output, otherwise string) (err error) {
	if output == "-" {
		_, err = a.out.Write(b)
		return err
	}
	if output == "" {
		output = otherwise
		err = store.WriteDurable(output, b)
	} else {
		err = os.WriteFile(output, b, 0o600)
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "write %s", output)
	}
	a.printf("%s\n", cell.Printable(filepath.Clean(output)))
	return nil
}
