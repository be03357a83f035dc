package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/evidence"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/version"
)

// evidenceOptions are the flags of evidence.
type evidenceOptions struct {
	output, run, key, limit string
	force                   bool
}

// evidenceLimit is how large an archive may become unless somebody says otherwise.
const evidenceLimit = 16 * cell.GiB

func (a *app) evidence() *cobra.Command {
	var o evidenceOptions
	cmd := &cobra.Command{
		Use:   "evidence NAME -o FILE.tar",
		Short: "Pack what is known of a run into an archive that can be verified",
		Long: `Pack what is known of a cell's last run into a tar file: its file, plan, host and
audits, its console with times, its events, what its network saw, pictures and
dumps that were made of it, and how its disks differ from their bases, all with
SHA-256 sums, and a page that shows the run: index.html.

With evidence = true in the cell file the plan, the host's facts and an audit are
kept before the guest's first instruction, and another audit at its end. Without
it, what can still be found is packed, and what is missing is named.

--sign KEY signs the manifest with a private key of ssh-keygen's:

    tar -xf FILE.tar manifest.json manifest.json.sig
    ssh-keygen -Y verify -f ALLOWED -I WHO -n skep-evidence \
        -s manifest.json.sig < manifest.json`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.output == "" {
				return usage("skep evidence needs -o FILE.tar")
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err == nil {
				err = a.mustKnow(dirs, name)
			}
			if err != nil {
				return err
			}
			return a.packEvidence(cmd.Context(), dirs, name, o, func() (*os.File, error) { return createNew(o.output, o.force) })
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "the archive, a file that is not there yet")
	f.BoolVarP(&o.force, "force", "f", false, "replace a file that is there")
	f.StringVar(&o.run, "run", "", "the run, where it is not the last: its `id`, as skep events --json has it")
	f.StringVar(&o.key, "sign", "", "sign with this private `key`")
	f.StringVar(&o.limit, "limit", evidenceLimit.String(), "how `large` the archive may become")
	cmd.AddCommand(a.evidenceVerify())
	return cmd
}

// packEvidence makes the archive in the file that create makes. Where it cannot be made whole, there is none.
func (a *app) packEvidence(ctx context.Context, dirs host.Dirs, name string, o evidenceOptions, create func() (*os.File, error)) (err error) {
	limit, err := cell.ParseSize(o.limit)
	if err != nil {
		return usage("--limit takes a size such as 4G, got %q", o.limit)
	}
	var sign func([]byte) ([]byte, error)
	if o.key != "" {
		key, err := os.ReadFile(o.key)
		if err == nil {
			sign, err = evidence.Signer(key)
		}
		if err != nil {
			return fault.Wrap(fault.Input, err, "ssh-keygen -t ed25519 makes one", "sign with %s", o.key)
		}
	}
	g := &gatherer{a: a, dirs: dirs, st: store.View(dirs), name: name}
	if g.state, g.held, err = g.st.ReadDetail(name); err != nil {
		return fault.Wrap(fault.Host, err, "", "read the state of %s", name)
	}
	if err := g.gather(ctx, o.run); err != nil {
		return err
	}
	m := evidence.Manifest{Version: evidence.Version, Cell: name, Run: g.page.Run, Made: time.Now().UTC(), By: "skep " + version.String(),
		Running: g.held, Missing: g.missing, Journal: g.journal}
	if m.Files, err = evidence.Sum(g.items, int64(limit)); err == nil {
		err = g.addPage(&m, int64(limit))
	}
	if err != nil {
		return evidenceFault(err, name)
	}
	out, err := create()
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, out.Close())
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	if err := evidence.Write(out, m, g.items, sign); err != nil {
		return evidenceFault(err, name)
	}
	if o.output != "" {
		a.printf("%s: %d files of run %s in %s\n", name, len(m.Files), m.Run, o.output)
	}
	for _, miss := range g.missing {
		a.note("not in it: %s: %s", miss.What, miss.Why)
	}
	return nil
}

func evidenceFault(err error, name string) error {
	if errors.Is(err, evidence.ErrLimit) {
		return fault.Wrap(fault.Input, err, "--limit allows more", "pack the evidence of %s", name)
	}
	return fault.Wrap(fault.Host, err, "", "pack the evidence of %s", name)
}

// addPage makes the page, which has all other files in it.
func (g *gatherer) addPage(m *evidence.Manifest, limit int64) error {
	p := g.page
	p.Cell, p.By, p.Made, p.Running, p.Files, p.Missing = m.Cell, m.By, m.Made, m.Running, m.Files, m.Missing
	b, err := p.HTML()
	if err != nil {
		return err
	}
	page := []evidence.Item{evidence.Bytes(evidence.PageName, b)}
	entries, err := evidence.Sum(page, limit)
	g.items, m.Files = slices.Concat(page, g.items), slices.Concat(entries, m.Files)
	return err
}
