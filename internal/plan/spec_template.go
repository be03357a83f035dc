package plan

import (
	"fmt"
	"path/filepath"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/layer"
	"skep/internal/layout"
)

// Template is the memory of a guest as a file: that of a template, opened for reading and nothing else, with
// the state of its devices; or of one that is being made, in memory until it is kept.
type Template struct {
	Name   string    `json:"name"`
	Dir    string    `json:"dir"`
	Make   bool      `json:"make,omitempty"`
	Memory cell.Size `json:"memory"`
	// Board is a digest of the board that the guest of this plan is to find.
	Board string `json:"board"`
	Accel string `json:"accel"`
	QEMU  string `json:"qemu"` // the program that is to restore it, by its path
}

// Kind implements Spec.
func (*Template) Kind() Kind { return KindTemplate }

// Take implements Spec.
func (t *Template) Take() []string {
	if t.Make {
		return []string{command("truncate", "-s", fmt.Sprint(int64(t.Memory)), "/dev/shm/ram") + "  # without a name, by memfd_create(2)"}
	}
	return []string{
		"flock -n -s " + quote(t.RAM()) + " true",
		"flock -n -s " + quote(t.State()) + " true",
	}
}

// Release implements Spec.
func (*Template) Release() []string { return nil }

// RAM is the file of the memory, and State that of the devices.
func (t *Template) RAM() string   { return filepath.Join(t.Dir, layout.TemplateRAM) }
func (t *Template) State() string { return filepath.Join(t.Dir, layout.TemplateState) }

// lacksSeal refuses a template where nothing would keep the hypervisor from writing it.
func (b *builder) lacksSeal(decisions []layer.Decision) error {
	t := b.cell.Template
	if t == nil || layer.On(decisions, layer.Seccomp) {
		return nil
	}
	return fault.Cannot(fault.Jail, "skep doctor shows why it is missing", "start", b.cell.Name,
		"without the layer %s the hypervisor could write the template %s", layer.Seccomp, t.Name)
}

// template adds the memory that is a file. The board is known once the command line is: it is the last
// resource but one of the plan whose text follows from others.
func (b *builder) template() {
	t := b.cell.Template
	if t == nil {
		return
	}
	why := "the guest's memory; what this one changes is its own"
	if t.Make {
		why = "the guest's memory, which is kept when it is ready"
	}
	b.add("template", "", why, &Template{Name: t.Name, Dir: t.Dir, Make: t.Make, Memory: b.cell.Memory, Accel: string(b.plan.Accel), QEMU: b.host.Linux.QEMU.Path})
}

// board writes down which board the command line describes.
func (b *builder) board() {
	for _, t := range Specs[*Template](b.plan) {
		for _, h := range Specs[*Hypervisor](b.plan) {
			t.Board = hypervisor.QEMUBoard(h.Argv)
		}
	}
}
