package access

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"skep/internal/cell"
)

func TestMay(t *testing.T) {
	r, wrong := Resolve([]cell.Access{
		{Users: []string{"1001"}, May: []string{cell.MayRead}},
		{Groups: []string{"50", "51"}, May: []string{cell.MayPower, cell.MayRead}},
		{Users: []string{"1001", "1002"}, May: []string{cell.MayConsole}},
	})
	if wrong != nil {
		t.Fatal(wrong)
	}
	for _, tt := range []struct {
		who  Who
		want string
	}{
		{Who{1001, nil}, "console read"},
		{Who{1001, []int{51}}, "console power read"},
		{Who{1002, []int{1001}}, "console"}, // a group is no user
		{Who{1003, []int{50}}, "power read"},
		{Who{50, []int{1002}}, ""}, // nor is a user a group
		{Who{-1, nil}, ""},
		{Who{0, nil}, ""},
	} {
		if got := strings.Join(r.May(tt.who), " "); got != tt.want {
			t.Errorf("%v may %q, want %q", tt.who, got, tt.want)
		}
	}
	if may := (Rules{}).May(Who{0, []int{0}}); len(may) != 0 {
		t.Error("without a rule somebody may", may)
	}
}

func TestResolve(t *testing.T) {
	r, wrong := Resolve([]cell.Access{
		{Users: []string{"root", "no-such-user"}, May: []string{cell.MayRead}},
		{Groups: []string{"no-such-group", "4294967295"}, Users: []string{"99999999999999999999"}, May: []string{cell.MayRead}},
	})
	var said []string
	for _, w := range wrong {
		said = append(said, strconv.Itoa(w.Block)+" "+w.Kind+" "+w.Name)
	}
	if want := []string{"0 user no-such-user", "1 user 99999999999999999999", "1 group no-such-group", "1 group 4294967295"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
	if may := r.May(Who{UID: 0}); !slices.Equal(may, []string{cell.MayRead}) {
		t.Errorf("root is not found: %v", may)
	}
	if os.Getuid() != 0 && len(r.May(Who{UID: os.Getuid()})) != 0 {
		t.Error("somebody else is")
	}
}
