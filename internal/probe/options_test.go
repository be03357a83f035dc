package probe

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"skep/internal/fault"
	"skep/internal/host"
)

func TestSlots(t *testing.T) {
	for name, tt := range map[string]struct {
		base, count string
		want        host.Slots // the zero Slots is an error
	}{
		"default":        {"", "", host.Slots{Count: 1000, UIDBase: 2_100_000_000}},
		"moved":          {"3000000", "50", host.Slots{Count: 50, UIDBase: 3_000_000}},
		"the last":       {"2147483646", "1", host.Slots{Count: 1, UIDBase: 2147483646}},
		"past 31 bits":   {"2147483646", "2", host.Slots{}},
		"users' numbers": {"1000", "", host.Slots{}},
		"none":           {"", "0", host.Slots{}},
		"too many":       {"", "30001", host.Slots{}},
		"negative":       {"-1", "", host.Slots{}},
		"no number":      {"lots", "", host.Slots{}},
		"huge":           {"99999999999999999999", "", host.Slots{}},
	} {
		env := map[string]string{host.EnvUIDBase: tt.base, host.EnvUIDCount: tt.count}
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
