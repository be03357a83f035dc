package cell

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// size is a number of bytes with its unit, from low to high.
func size(low, high, multiple Size) kind[Size] {
	return scalar(
		func(v cty.Value) (Size, *mistake) {
			s, m := withUnit(v, "a size", "G")
			if m != nil {
				return 0, m
			}
			n, err := ParseSize(s)
			switch {
			case err != nil:
				return 0, badSize(s, err)
			case n < low:
				return 0, wrong("must be at least %q", low)
			case n > high:
				return 0, wrong("must be at most %q", high)
			case n%multiple != 0:
				return 0, wrong("must be a multiple of %q", multiple)
			}
			return n, nil
		},
		func(n Size) cty.Value {
			if n == 0 {
				return cty.StringVal("")
			}
			return cty.StringVal(n.String())
		},
	)
}

var (
	longUnit   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+)\s*([KMGTkmgt])(i?[Bb])?$`) })
	fractional = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+\.[0-9]+)\s*([MGTmgt])(i?[Bb])?$`) })
)

// badSize knows the ways in which people write sizes that are not ours.
func badSize(s string, err error) *mistake {
	if g := longUnit().FindStringSubmatch(strings.TrimSpace(s)); g != nil {
		if _, err := ParseSize(g[1] + g[2]); err == nil {
			return wrong("must be a number followed by K, M, G or T").
				but("did you mean %q?", g[1]+strings.ToUpper(g[2]))
		}
	}
	if g := fractional().FindStringSubmatch(strings.TrimSpace(s)); g != nil {
		m := wrong("must be a whole number with a unit")
		if f, ok := new(big.Rat).SetString(g[1]); ok && len(g[1]) < 12 {
			// The next smaller unit makes "1.5G" whole.
			unit := strings.ToUpper(g[2])
			smaller := map[string]string{"T": "G", "G": "M", "M": "K"}[unit]
			n, _ := f.Mul(f, big.NewRat(1024, 1)).Float64()
			m.but("did you mean \"%d%s\"?", int64(n+0.5), smaller)
		}
		return m
	}
	if why, ok := strings.CutPrefix(err.Error(), strconv.Quote(s)+" "); ok {
		return wrong("%s", why)
	}
	return wrong("%s", err)
}

// withUnit is the text of a value that needs a unit. A bare number, in quotes or
// not, is a question: likely is the unit to suggest.
func withUnit(v cty.Value, what, likely string) (string, *mistake) {
	bare := ""
	switch v.Type() {
	case cty.Number:
		bare = v.AsBigFloat().Text('f', -1)
	case cty.String:
		if _, ok := new(big.Float).SetString(v.AsString()); ok {
			bare = v.AsString()
		}
	}
	if bare == "" {
		return plainText(v)
	}
	m := wrong("needs a unit")
	if n, err := strconv.Atoi(bare); err == nil && n > 0 {
		if what == "a size" {
			bare, likely = likelySize(n)
		}
		m.but("did you mean \"%s%s\"?", bare, likely)
	}
	return "", m
}

// likelySize guesses the unit that a number was meant to have: 16 and 512 are
// gigabytes and megabytes to most, 16384 megabytes, and more than that bytes.
func likelySize(n int) (string, string) {
	switch {
	case n < 256:
		return strconv.Itoa(n), "G"
	case n < 1<<20:
		return strconv.Itoa(n), "M"
	case Size(n)%MiB == 0:
		s := Size(n).String()
		return s[:len(s)-1], s[len(s)-1:]
	}
	return strconv.Itoa((n + 1<<20 - 1) >> 20), "M"
}

// duration is a time in whole seconds with its unit, from low to high.
func duration(low, high time.Duration) kind[time.Duration] {
	return scalar(
		func(v cty.Value) (time.Duration, *mistake) {
			s, m := withUnit(v, "a time", "s")
			if m != nil {
				return 0, m
			}
			d, err := time.ParseDuration(s)
			switch {
			case err != nil:
				return 0, wrong(`must be a time such as "90s", "2m" or "1h30m"`)
			case d%time.Second != 0:
				return 0, wrong("must be in whole seconds")
			case d < low:
				return 0, wrong("must be at least %q", durationText(low))
			case d > high:
				return 0, wrong("must be at most %q", durationText(high))
			}
			return d, nil
		},
		func(d time.Duration) cty.Value { return cty.StringVal(durationText(d)) },
	)
}

// durationText is the shortest text for d: "2m" and not "2m0s".
func durationText(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// percent is a share of one processor.
func percent(high int) kind[int] {
	return scalar(
		func(v cty.Value) (int, *mistake) {
			s, m := withUnit(v, "a share of a processor", "%")
			if m != nil {
				return 0, m
			}
			n, err := strconv.Atoi(strings.TrimSuffix(s, "%"))
			switch {
			case err != nil || !strings.HasSuffix(s, "%"):
				return 0, wrong("must be a percentage such as \"150%%\", for one and a half processors")
			case n < 1:
				return 0, wrong("must be at least \"1%%\"").but("leave it out to have no limit")
			case n > high:
				return 0, wrong("must be at most \"%d%%\"", high)
			}
			return n, nil
		},
		func(n int) cty.Value {
			if n == 0 {
				return cty.StringVal("")
			}
			return cty.StringVal(strconv.Itoa(n) + "%")
		},
	)
}
