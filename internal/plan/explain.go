package plan

import (
	"strings"

	"skep/internal/cell"
)

// Explanation says where one resource comes from.
type Explanation struct {
	ID  string   `json:"id"`
	For string   `json:"for,omitempty"` // the path in the cell file
	Pos cell.Pos `json:"pos"`           // zero where no line asked for it
	Why string   `json:"why"`
	// Details are the parts of a resource that lines of their own asked for.
	Details []string `json:"details,omitempty"`
}

// Explain says of every resource of a plan which line of the cell file asked
// for it.
func Explain(c *cell.Cell, p *Plan) []Explanation {
	rows := make([]Explanation, 0, len(p.Resources))
	for _, r := range p.Resources {
		e := Explanation{ID: r.ID, For: r.For, Why: r.Why}
		e.Pos = nearest(c, r.For)
		rows = append(rows, e)
	}
	return rows
}

// nearest is the line of a path, or that of the block around it.
func nearest(c *cell.Cell, path string) cell.Pos {
	for path != "" {
		if pos, ok := c.Where(path); ok {
			return pos
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return cell.Pos{}
}
