//go:build linux || freebsd

package provision

import (
	"context"
	"fmt"
	"os"

	"skep/internal/plan"
	"skep/internal/store"
)

// kind is a row of a host's table: everything that skep does with one kind of resource there. No column is
// left out; one in which there is nothing to do says why.
type kind struct {
	// acquire has the resource afterwards, or an error and nothing.
	acquire func(system, call) (store.Held, error)
	// release lets go of it, whoever acquired it.
	release func(system, call) error
	// look says beforehand what of it the cell file names wrongly.
	look func(system, call) []error
	// adopt has again what of it died with a keeper.
	adopt func(system, call) error
	// audit names the rows of the audit in which it is looked for.
	audit inAudit
}

// call is what a row is called with.
type call struct {
	ctx   context.Context
	r     plan.Resource
	held  store.Held
	disks map[string]*os.File // look: those that were opened on the way
}

// inAudit are rows of the audit; without any, why says why there is none.
type inAudit struct {
	rows []string
	why  string
}

func rows(ids ...string) inAudit    { return inAudit{rows: ids} }
func notAudited(why string) inAudit { return inAudit{why: why} }

// having is a way to acquire of which nothing is known afterwards but that it was done.
func having[S plan.Spec](f func(system, S) error) func(system, call) (store.Held, error) {
	return func(t system, c call) (store.Held, error) { return store.Held{}, f(t, c.r.Spec.(S)) }
}

// making is one that says whether the resource was made or existed.
func making[S plan.Spec](f func(system, S) (bool, error)) func(system, call) (store.Held, error) {
	return func(t system, c call) (store.Held, error) {
		made, err := f(t, c.r.Spec.(S))
		return store.Held{Made: made}, err
	}
}

// letting is a way to release or to adopt that needs nothing but the spec.
func letting[S plan.Spec](f func(system, S) error) func(system, call) error {
	return func(t system, c call) error { return f(t, c.r.Spec.(S)) }
}

// looking is a look at the spec.
func looking[S plan.Spec](f func(system, S) []error) func(system, call) []error {
	return func(t system, c call) []error { return f(t, c.r.Spec.(S)) }
}

// list makes a list of an error, or none.
func list(err error) []error {
	if err != nil {
		return []error{err}
	}
	return nil
}

// byOther: there is nothing to acquire, because it is made with another resource.
func byOther(string) func(system, call) (store.Held, error) {
	return func(system, call) (store.Held, error) { return store.Held{}, nil }
}

// goesWith: there is nothing to release, because it goes with something else.
func goesWith(string) func(system, call) error { return func(system, call) error { return nil } }

// unseen: the cell file cannot name it wrongly.
func unseen(string) func(system, call) []error { return func(system, call) []error { return nil } }

// survives: nothing of it died with the keeper, or that is dealt with elsewhere.
func survives(string) func(system, call) error { return func(system, call) error { return nil } }

// row finds a kind's.
func row(r plan.Resource) (kind, error) {
	k, ok := table[r.Spec.Kind()]
	if !ok {
		return k, fmt.Errorf("resources of the kind %s do not exist on this system", r.Spec.Kind())
	}
	return k, nil
}

// adoptRest has again what of each resource died with its keeper.
func adoptRest(t system, open []store.Outstanding) error {
	for _, o := range open {
		k, err := row(o.Resource)
		if err == nil {
			err = k.adopt(t, call{r: o.Resource, held: o.Held})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
