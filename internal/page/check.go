package page

import (
	"net/http"

	"skep/internal/cell"
	"skep/internal/layer"
)

// check says which mistakes a cell file has, without keeping it. It looks at no machine, so it is done here.
func (s *server) check(w http.ResponseWriter, r *http.Request, v visitor) {
	if _, err := s.ask(r.Context(), v.ask(Me)); err != nil {
		refuse(w, err)
		return
	}
	var in struct{ Text string }
	if err := body(r, &in); err != nil {
		refuse(w, err)
		return
	}
	name, mistakes := Check(in.Text)
	write(w, http.StatusOK, struct {
		Version  int               `json:"version"`
		Name     string            `json:"name,omitempty"`
		Mistakes []cell.Diagnostic `json:"mistakes"`
	}{Version, name, mistakes})
}

// Check reads a cell file: the name of its cell, and its mistakes.
func Check(text string) (name string, mistakes []cell.Diagnostic) {
	o := cell.Options{}
	for _, l := range layer.Table {
		o.Layers = append(o.Layers, string(l.ID))
	}
	c, found := o.Parse("file", []byte(text))
	if c != nil {
		name = c.Name
	}
	return name, append([]cell.Diagnostic{}, found...)
}
