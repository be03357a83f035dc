package report

import (
	"strings"
	"testing"
)

// TestComparison: totals are of what was tried, and a subject that could not be tried has a reason and
// no column.
func TestComparison(t *testing.T) {
	c := Comparison{Rows: []Contest{{ID: "a", Group: "one"}, {ID: "b", Group: "one"}, {ID: "c", Group: "two"}}}
	c.Add(Contender{Name: "cell", Command: "x"}, map[string]Result{"a": {Stopped, "EPERM"}, "b": {Stopped, "ENOSYS"}, "c": {Skipped, "none"}})
	c.Add(Contender{Name: "gone", Absent: "it is not installed"}, nil)
	c.Add(Contender{Name: "peer", Command: "y"}, map[string]Result{"a": {Escaped, "it reads"}, "b": {Stopped, "EACCES"}, "c": {Skipped, "none"}})
	if s := c.Subjects[2]; s.Stopped != 1 || s.Escaped != 1 || s.Skipped != 1 {
		t.Errorf("%+v", s)
	}
	var text strings.Builder
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gone cannot be tried here: it is not installed\n", "a        EPERM          ESCAPED\n", "escaped  0              1\n", "3 attempts in 2 subjects"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	for _, want := range []string{"| one | 0 of 2 | 1 of 2 |\n", "| **all** | **0 of 2** | **1 of 2** |\n", "| gone | not tried: it is not installed | |\n"} {
		if !strings.Contains(c.Summary(), want) {
			t.Errorf("%q is not in\n%s", want, c.Summary())
		}
	}
	if strings.Contains(c.Summary(), "| two |") {
		t.Error("a group in which nothing was tried is listed")
	}
}
