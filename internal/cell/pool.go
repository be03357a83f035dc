package cell

import "strings"

// Pool is a number of clones of a template that stand still and wait to be taken. It is in a cell file, and
// says nothing about the cell.
type Pool struct {
	Label string `json:"label"`
	From  string `json:"from"`  // the template
	Ready int    `json:"ready"` // how many wait
	// Ask is typed into the console of each once, and Answer is what it has to say before it stands still; any
	// answer unless it is given. What it runs meanwhile is translated already when it is taken.
	Ask    string `json:"ask"`
	Answer string `json:"answer,omitempty"`
}

var poolBlock = block[Pool]{
	attrs: []attr[Pool]{
		at("from", text(templateRule), func(p *Pool) *string { return &p.From }),
		at("ready", count(1, 200, ""), func(p *Pool) *int { return &p.Ready }),
		at("ask", text(consoleRule), func(p *Pool) *string { return &p.Ask }),
		at("answer", text(consoleRule), func(p *Pool) *string { return &p.Answer }),
	},
	fresh: func() Pool { return Pool{Ready: 1} },
	check: func(r *reader, path string, _ *Pool) { r.need(path, "from", `from = "web", a template`) },
}

func templateRule(s string) *mistake {
	if m := nameRule(s); m != nil {
		return m
	}
	if len(s) > maxTemplate {
		return wrong("has %d characters, at most %d are allowed", len(s), maxTemplate)
	}
	return nil
}

// poolRule leaves room for an @ and a number behind the name.
func poolRule(s string) *mistake { return templateRule(s) }

func consoleRule(s string) *mistake {
	const most = 200
	switch {
	case len(s) > most:
		return wrong("has %d characters, at most %d are allowed", len(s), most)
	case strings.TrimSpace(s) == "":
		return wrong("must not be empty")
	}
	return nil
}
