package cell

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"skep/internal/address"
)

// Identity is what the guest's machine calls itself. What is left out stays as the
// hypervisor has it, and says so: docs/security.md lists what still does.
type Identity struct {
	Manufacturer string `json:"manufacturer,omitempty"`
	Product      string `json:"product,omitempty"`
	Serial       string `json:"serial,omitempty"`
	UUID         string `json:"uuid,omitempty"`        // lower case
	DiskSerial   string `json:"disk_serial,omitempty"` // of the first disk; see SerialOf
	MACOUI       string `json:"mac_oui,omitempty"`     // "00:1b:21": the first half of made-up addresses
	CPUName      string `json:"cpu_name,omitempty"`
}

// Clock is the time of day that the guest's machine begins with at each start.
type Clock struct {
	Start string `json:"start,omitempty"` // RFC 3339, UTC
	// Offset is how far it is from the host's clock at the start, as in the file: "-72h".
	Offset string `json:"offset,omitempty"`
}

// ClockAt is the cell with the time of day that its guest's machine begins with, where it starts at that time.
func (c *Cell) ClockAt(now time.Time) *Cell {
	if c.Clock == nil || c.Clock.Offset == "" {
		return c
	}
	d, err := time.ParseDuration(c.Clock.Offset)
	if err != nil {
		return c // no cell file has it
	}
	with := *c
	with.Clock = &Clock{Start: now.Add(d).UTC().Format("2006-01-02T15:04:05Z"), Offset: c.Clock.Offset}
	return &with
}

// Lengths: SMBIOS has no bound that matters, a processor's name has 48 bytes with the zero at its end,
// and a serial number of a disk 20, of which two are kept for the number of the disk.
const (
	identityMax   = 64
	cpuNameMax    = 47
	diskSerialMax = 18
)

var identityBlock = block[Identity]{
	attrs: []attr[Identity]{
		at("manufacturer", text(plainRule(identityMax)), func(i *Identity) *string { return &i.Manufacturer }),
		at("product", text(plainRule(identityMax)), func(i *Identity) *string { return &i.Product }),
		at("serial", text(plainRule(identityMax)), func(i *Identity) *string { return &i.Serial }),
		at("uuid", lowered(uuidRule), func(i *Identity) *string { return &i.UUID }),
		at("disk_serial", text(plainRule(diskSerialMax)), func(i *Identity) *string { return &i.DiskSerial }),
		at("mac_oui", lowered(ouiRule), func(i *Identity) *string { return &i.MACOUI }),
		at("cpu_name", text(plainRule(cpuNameMax)), func(i *Identity) *string { return &i.CPUName }),
	},
	fresh: func() Identity { return Identity{} },
}

var clockBlock = block[Clock]{
	attrs: []attr[Clock]{
		at("start", instant, func(c *Clock) *string { return &c.Start }),
		at("offset", clockOffset, func(c *Clock) *string { return &c.Offset }),
	},
	fresh: func() Clock { return Clock{} },
	check: func(r *reader, path string, c *Clock) {
		switch {
		case !r.said(under(path, "offset")):
			r.need(path, "start", `start = "2026-01-02T03:04:05Z"`)
		case r.said(under(path, "start")):
			r.at(under(path, "offset"), "offset", wrong("cannot be combined with start"))
		}
	},
}

// plainRule is for what becomes a part of a hypervisor's option, in which a comma would begin the
// next one for QEMU, and a percent sign a variable for bhyve.
func plainRule(limit int) func(string) *mistake {
	return func(s string) *mistake {
		switch {
		case strings.TrimSpace(s) == "":
			return wrong("must not be empty")
		case len(s) > limit:
			return wrong("has %d characters, at most %d are allowed", len(s), limit)
		case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(",%", r) }):
			return wrong("must be printable ASCII characters without comma and percent sign")
		}
		return nil
	}
}

var uuidPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`) })

func uuidRule(s string) *mistake {
	if !uuidPattern().MatchString(s) {
		return wrong("must be a UUID such as %q", "5ed0a5f2-0d5c-4c1b-9b5e-2f6d6c1d7a10")
	}
	return nil
}

func ouiRule(s string) *mistake {
	if m, err := address.ParseMAC(s + ":00:00:00"); err != nil || strings.Count(s, ":") != 2 {
		return wrong("must be the first half of an Ethernet address, such as %q", "00:1b:21")
	} else if m[0]&1 != 0 {
		return wrong("is the beginning of a group's address: the second digit must be even")
	}
	return nil
}

// lowered is text that means the same in capitals.
func lowered(rule func(string) *mistake) kind[string] {
	low := text(func(s string) *mistake { return rule(strings.ToLower(s)) })
	return kind[string]{
		read: func(r *reader, name string, e hclsyntax.Expression) (string, bool) {
			s, ok := low.read(r, name, e)
			return strings.ToLower(s), ok
		},
		write: low.write,
	}
}

// clockOffset is a time from the host's clock. With these bounds a PC's clock holds what comes of it.
var clockOffset = scalar(
	func(v cty.Value) (string, *mistake) {
		s, m := withUnit(v, "a time", "h")
		if m != nil {
			return "", m
		}
		d, err := time.ParseDuration(s)
		const most = 400_000 * time.Hour
		switch {
		case err != nil || d%time.Second != 0:
			return "", wrong(`must be a time such as "-72h" or "90m"`)
		case d > most || d < -most:
			return "", wrong("must be at most \"400000h\", either way")
		}
		return s, nil
	},
	cty.StringVal,
)

// instant is a time of day that a real-time clock can hold.
var instant = scalar(
	func(v cty.Value) (string, *mistake) {
		if v.Type() != cty.String {
			return "", wrong("must be a time such as %q", "2026-01-02T03:04:05Z")
		}
		t, err := time.Parse(time.RFC3339, v.AsString())
		if err != nil {
			return "", wrong("must be a time such as %q", "2026-01-02T03:04:05Z")
		}
		if y := t.UTC().Year(); y < 1980 || y > 2099 {
			return "", wrong("must be a time from 1980 to 2099, which is what a PC's clock holds")
		}
		return t.UTC().Format(time.RFC3339), nil
	},
	func(s string) cty.Value { return cty.StringVal(s) },
)

// SerialOf is the serial number of a cell's disk, by its place, where the cell file gives one. A second disk
// has a number behind it: two with one serial number would look the same.
func (i *Identity) SerialOf(n int) string {
	if i == nil || i.DiskSerial == "" {
		return ""
	}
	if n == 0 {
		return i.DiskSerial
	}
	return i.DiskSerial + strconv.Itoa(n+1)
}

// Branded is the address with the first half that the cell file asks for.
func (i *Identity) Branded(mac string) string {
	if i == nil || i.MACOUI == "" || len(mac) < len(i.MACOUI) {
		return mac
	}
	return i.MACOUI + mac[len(i.MACOUI):]
}
