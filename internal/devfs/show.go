package devfs

import (
	"bufio"
	"fmt"
	"strings"
)

// ParseShow reads what `devfs rule -s N show` prints: one rule a line, split
// at white space only, so that a pattern with a blank in it cannot be told
// from its neighbours and is an error.
func ParseShow(number int, text string) (*Ruleset, error) {
	set := &Ruleset{Number: number}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		r, err := ParseRule(words)
		if err != nil {
			return nil, fmt.Errorf("line %d of rule set %d: %w", n, number, err)
		}
		if r.Number == 0 {
			return nil, fmt.Errorf("line %d of rule set %d: no rule number", n, number)
		}
		if wrong := set.insert(r); wrong != "" {
			return nil, fmt.Errorf("line %d of rule set %d: %s", n, number, wrong)
		}
	}
	return set, lines.Err()
}
