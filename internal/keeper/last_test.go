package keeper

import (
	"fmt"
	"strings"
	"testing"
)

func TestTailLines(t *testing.T) {
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, "line %d\r\n\r\n", i)
	}
	b.WriteString("\x1b[31m\xff" + strings.Repeat("x", 300))
	got := tailLines(b.String())
	if len(got) != lastCount || got[0] != "line 21" {
		t.Errorf("%d lines, the first %q", len(got), got[0])
	}
	if last := []rune(got[len(got)-1]); len(last) != lastWidth+1 || last[5] != '�' {
		t.Errorf("the last line has %d characters: %q", len(last), string(last))
	}
}
