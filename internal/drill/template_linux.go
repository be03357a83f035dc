package drill

import (
	"os"
	"path/filepath"
	"time"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/template"
	"skep/internal/version"
)

// scratchTemplate has a clone's twin begin from a template of its own, of which nothing but the files is one.
func scratchTemplate(t *cell.Cell, f host.Facts, scratch string) error {
	const name = "drill"
	kept := template.View(layout.Dirs{State: scratch})
	dir, err := kept.Begin(name)
	if err != nil {
		return err
	}
	t.Template = &cell.TemplateRef{Name: name, Dir: dir}
	p, problems := plan.Make(t, f)
	if err := problems.Err(); err != nil {
		return err
	}
	about := &template.Template{Version: template.Version, Name: name, Made: time.Now().UTC(), Skep: version.String(), Of: name, CPU: template.CPU()}
	for _, s := range plan.Specs[*plan.Template](p) {
		c := *t
		c.Accel = cell.Accel(s.Accel)
		about.Cell, about.Board = &c, s.Board
		if about.QEMU.File, err = template.FileOf(s.QEMU, true); err != nil {
			return err
		}
	}
	for file, into := range map[string]*template.File{layout.TemplateRAM: &about.RAM, layout.TemplateState: &about.State} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte("what other clones begin with"), 0o400); err != nil {
			return err
		}
		if file == layout.TemplateRAM {
			if err := os.Truncate(path, int64(t.Memory)); err != nil {
				return err
			}
		}
		if *into, err = template.FileOf(path, true); err != nil {
			return err
		}
	}
	return kept.Finish(about)
}
