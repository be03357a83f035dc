// Package plan turns a cell and a host into the ordered list of resources
// that the running cell will hold.
//
// A plan is pure: the same cell and the same facts give the same plan on any
// machine, so plans for FreeBSD are made and tested on Linux and the other way
// round. Nothing here touches the host. The list has seven uses: it is printed,
// taken in order, released in reverse, swept, audited, drilled and explained;
// see docs/architecture.md.
package plan

import (
	"encoding/json"
	"fmt"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/layer"
)

// Version is the version of the JSON form of a Plan.
const Version = 1

// Plan is what one cell holds while it runs, in the order it is taken.
type Plan struct {
	Version   int        `json:"version"`
	Name      string     `json:"name"`
	OS        string     `json:"os"`
	Slot      int        `json:"slot"`
	Accel     cell.Accel `json:"accel,omitempty"` // Linux: kvm or tcg, decided
	Resources []Resource `json:"resources"`
	// Layers says of each layer of the jail whether it is applied,
	// substituted, or missing with the cell file's leave.
	Layers []layer.Decision `json:"layers,omitempty"`
	// Notes are for the person who starts the cell: what fell back, what is
	// substituted, what is not applied.
	Notes []string `json:"notes,omitempty"`
}

// Resource is one thing that a running cell holds.
type Resource struct {
	// ID names the resource within its plan, such as "tap:lan".
	ID string `json:"id"`
	// For is the path in the cell file that asked for it, such as "nic.lan", as
	// in cell.Sources; "" where every cell has one.
	For string `json:"for,omitempty"`
	// Why is one line for explain.
	Why  string `json:"why"`
	Spec Spec   `json:"-"`
}

// Spec is what a resource is, as data; there is one type for each kind.
type Spec interface {
	// Kind names the type in JSON, in IDs and in messages.
	Kind() Kind
	// Take lists the commands that a person would type to have the resource.
	Take() []string
	// Release lists the commands that let go of it; none where it goes with
	// another resource or holds data of the guest.
	Release() []string
}

// Kind names a kind of resource.
type Kind string

// String is what a person would type to take the resource.
func (r Resource) String() string {
	s := ""
	for i, line := range r.Spec.Take() {
		if i > 0 {
			s += "\n"
		}
		s += line
	}
	return s
}

// resourceJSON is the wire form: the kind says which type spec is.
type resourceJSON struct {
	ID   string          `json:"id"`
	Kind Kind            `json:"kind"`
	For  string          `json:"for,omitempty"`
	Why  string          `json:"why"`
	Spec json.RawMessage `json:"spec"`
	Do   []string        `json:"commands,omitempty"`
}

// MarshalJSON writes the resource with its kind and, for readers without
// skep, the commands it stands for.
func (r Resource) MarshalJSON() ([]byte, error) {
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return nil, err
	}
	return json.Marshal(resourceJSON{r.ID, r.Spec.Kind(), r.For, r.Why, spec, r.Spec.Take()})
}

// UnmarshalJSON reads what MarshalJSON wrote. A kind that this version does
// not know is an error: a journal must never be half understood.
func (r *Resource) UnmarshalJSON(b []byte) error {
	var w resourceJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	spec, err := newSpec(w.Kind)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(w.Spec, spec); err != nil {
		return fmt.Errorf("resource %s: %w", w.ID, err)
	}
	*r = Resource{ID: w.ID, For: w.For, Why: w.Why, Spec: spec}
	return nil
}

// Find is the first resource of that ID.
func (p *Plan) Find(id string) (Resource, bool) {
	for _, r := range p.Resources {
		if r.ID == id {
			return r, true
		}
	}
	return Resource{}, false
}

// Specs lists the specs of one type in plan order.
func Specs[T Spec](p *Plan) []T {
	var all []T
	for _, r := range p.Resources {
		if s, ok := r.Spec.(T); ok {
			all = append(all, s)
		}
	}
	return all
}

// Problems are what keeps a cell from running as its plan has it, found in one pass: what the host lacks
// (fault.Host), what the cell file asks of this host that no host of its kind has (fault.Input), a layer of the
// jail that cannot be had (fault.Jail). Each is a fault.Error.
type Problems []error

// Err is the problems as one error, nil where there are none.
func (p Problems) Err() error { return fault.Join(p...) }

// add adds an error, or several that are one; nil is none.
func (p *Problems) add(err error) {
	if list, ok := err.(fault.List); ok {
		*p = append(*p, list...)
	} else if err != nil {
		*p = append(*p, err)
	}
}

// Make plans a cell on a host. There is no plan where a problem keeps one from being made; one that comes
// together with problems would do on a larger host.
func Make(c *cell.Cell, h host.Facts) (*Plan, Problems) {
	c = c.WithMACs(macFor(c, h))
	switch h.OS {
	case "linux":
		return linux(c, h)
	case "freebsd":
		return freebsd(c, h)
	}
	return nil, Problems{fmt.Errorf("cannot plan for the system %q", h.OS)}
}
