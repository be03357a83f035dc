package report

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A Comparison is the same attempts made in a cell and in other sandboxes.
type Comparison struct {
	Version  int           `json:"version"`
	Time     time.Time     `json:"time"`
	Took     time.Duration `json:"took"` // nanoseconds
	Subjects []Contender   `json:"subjects"`
	Rows     []Contest     `json:"rows"`
}

// A Contender is one sandbox and what it came to.
type Contender struct {
	Name    string `json:"name"`
	Release string `json:"release,omitempty"` // as it says itself
	Command string `json:"command"`           // what a person would type, less paths of the drill
	Absent  string `json:"absent,omitempty"`  // why it could not be tried here
	Stopped int    `json:"stopped"`
	Escaped int    `json:"escaped"`
	Skipped int    `json:"skipped"`
}

// A Contest is one attempt in all of them.
type Contest struct {
	ID    string `json:"id"`
	Group string `json:"group"`
	Tries string `json:"tries"`
	// Results are in the order of the subjects; one without a verdict was not tried.
	Results []Result `json:"results"`
}

// Result is what an attempt came to in one subject.
type Result struct {
	Verdict Verdict `json:"verdict,omitempty"`
	How     string  `json:"how,omitempty"`
}

// Add gives the comparison a subject and its results, by attempt.
func (c *Comparison) Add(s Contender, results map[string]Result) {
	for i := range c.Rows {
		r := results[c.Rows[i].ID]
		c.Rows[i].Results = append(c.Rows[i].Results, r)
		switch r.Verdict {
		case Stopped:
			s.Stopped++
		case Escaped:
			s.Escaped++
		case Skipped:
			s.Skipped++
		}
	}
	c.Subjects = append(c.Subjects, s)
}

// present are the indexes of the subjects that were tried.
func (c Comparison) present() (list []int) {
	for i, s := range c.Subjects {
		if s.Absent == "" {
			list = append(list, i)
		}
	}
	return list
}

// WriteText writes one line an attempt, one column a subject, and the totals.
func (c Comparison) WriteText(w io.Writer) error {
	const column = 13
	wide := len("attempt")
	for _, r := range c.Rows {
		wide = max(wide, len(r.ID))
	}
	line := func(first string, cell func(i int) string) {
		text := fmt.Sprintf("%-*s", wide, first)
		for _, i := range c.present() {
			text += fmt.Sprintf("  %-*.*s", column, column, cell(i))
		}
		fmt.Fprintln(w, strings.TrimRight(text, " "))
	}
	for _, s := range c.Subjects {
		if s.Absent != "" {
			fmt.Fprintf(w, "%s cannot be tried here: %s\n", s.Name, s.Absent)
			continue
		}
		fmt.Fprintf(w, "%s: %s\n  %s\n", s.Name, s.Release, s.Command)
	}
	fmt.Fprintln(w)
	line("attempt", func(i int) string { return c.Subjects[i].Name })
	group := ""
	for _, r := range c.Rows {
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(w, "%s\n", group)
		}
		line(r.ID, func(i int) string { return r.Results[i].text() })
	}
	fmt.Fprintln(w)
	for _, total := range []struct {
		name string
		of   func(Contender) int
	}{{"stopped", func(s Contender) int { return s.Stopped }}, {"escaped", func(s Contender) int { return s.Escaped }}, {"skipped", func(s Contender) int { return s.Skipped }}} {
		line(total.name, func(i int) string { return fmt.Sprint(total.of(c.Subjects[i])) })
	}
	_, err := fmt.Fprintf(w, "\n%d attempts in %d subjects, in %s\n", len(c.Rows), len(c.present()), c.Took.Round(time.Second))
	return err
}

// text is a result in one column: what stopped it, or that nothing did.
func (r Result) text() string {
	switch r.Verdict {
	case Escaped:
		return "ESCAPED"
	case Stopped:
		return r.How
	case Skipped:
		return "–"
	}
	return ""
}

// Summary is the comparison for docs/security.md: escapes of attempts, group by group.
func (c Comparison) Summary() string {
	var b strings.Builder
	row := func(first string, cell func(i int) string) {
		fmt.Fprintf(&b, "| %s |", first)
		for _, i := range c.present() {
			fmt.Fprintf(&b, " %s |", cell(i))
		}
		b.WriteByte('\n')
	}
	row("escaped, of those tried", func(i int) string { return c.Subjects[i].Name })
	row("---", func(int) string { return "---" })
	for _, g := range c.groups() {
		row(g, func(i int) string {
			escaped, tried := 0, 0
			for _, r := range c.Rows {
				if v := r.Results[i].Verdict; r.Group == g && v != Skipped && v != "" {
					tried++
					if v == Escaped {
						escaped++
					}
				}
			}
			return fmt.Sprintf("%d of %d", escaped, tried)
		})
	}
	row("**all**", func(i int) string {
		s := c.Subjects[i]
		return fmt.Sprintf("**%d of %d**", s.Escaped, s.Escaped+s.Stopped)
	})
	b.WriteString("\n| subject | release | started as |\n|---|---|---|\n")
	for _, s := range c.Subjects {
		if s.Absent != "" {
			fmt.Fprintf(&b, "| %s | not tried: %s | |\n", s.Name, s.Absent)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", s.Name, s.Release, s.Command)
	}
	return b.String()
}

// groups are those in which any subject was tried.
func (c Comparison) groups() (list []string) {
	for _, r := range c.Rows {
		tried := false
		for _, i := range c.present() {
			tried = tried || r.Results[i].Verdict == Stopped || r.Results[i].Verdict == Escaped
		}
		if tried && (len(list) == 0 || list[len(list)-1] != r.Group) {
			list = append(list, r.Group)
		}
	}
	return list
}
