package host

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"skep/internal/fault"
)

func TestSlots(t *testing.T) {
	for name, tt := range map[string]struct {
		base, count string
		want        Slots // the zero Slots is an error
	}{
		"default":        {"", "", Slots{Count: 1000, UIDBase: 2_100_000_000}},
		"moved":          {"3000000", "50", Slots{Count: 50, UIDBase: 3_000_000}},
		"the last":       {"2147483646", "1", Slots{Count: 1, UIDBase: 2147483646}},
		"past 31 bits":   {"2147483646", "2", Slots{}},
		"users' numbers": {"1000", "", Slots{}},
		"none":           {"", "0", Slots{}},
		"too many":       {"", "30001", Slots{}},
		"negative":       {"-1", "", Slots{}},
		"no number":      {"lots", "", Slots{}},
		"huge":           {"99999999999999999999", "", Slots{}},
	} {
		env := map[string]string{EnvUIDBase: tt.base, EnvUIDCount: tt.count}
		got, err := Options{Getenv: func(k string) string { return env[k] }}.slots()
		if tt.want.Count == 0 {
			if fault.CodeOf(err) != fault.Input {
				t.Error(name, got, err)
			}
			continue
		}
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Error(name, err, d)
		}
	}
}
