package probe

import (
	"bytes"
	"encoding/binary"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// can is what a bhyve binary is able to do, read from the texts in it. Version
// numbers do not say: stable branches and HardenedBSD get features at times of
// their own.
type can struct {
	Monitor   bool   `json:"monitor"`  // -M
	VNCUnix   bool   `json:"vnc_unix"` // fbuf,rfb=unix:PATH
	Tables    bool   `json:"tables"`   // acpi_tables of bhyve_config(5)
	NeedsIASL bool   `json:"needs_iasl"`
	IASL      string `json:"iasl,omitempty"` // the compiler it runs
}

func whatCan(b []byte) can {
	c := can{
		Monitor: bytes.Contains(b, []byte("-M: monitor mode")),
		// The prefix that the frame buffer's parser compares with. A string of
		// its own ends in NUL; "unix:" inside a longer text is not it.
		Tables:  bytes.Contains(b, []byte("acpi_tables\x00")),
		VNCUnix: bytes.Contains(b, []byte("\x00unix:\x00")) || bytes.Contains(b, []byte("unix=")),
	}
	// That a bhyve builds tables by itself ("basl") is not enough: 14.2 does and
	// still has the DSDT compiled. What counts is whether it knows a compiler.
	const compiler = "/usr/sbin/iasl"
	if bytes.Contains(b, []byte(compiler)) {
		c.NeedsIASL, c.IASL = true, compiler
	}
	return c
}

// virtualisation reads from the kernel's boot messages whether the processor
// has VT-x ("vmx") or AMD-V ("svm").
func virtualisation(dmesg string) string {
	for line := range strings.Lines(dmesg) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "Features2=") && !strings.HasPrefix(line, "AMD Features2=") {
			continue
		}
		_, list, ok := strings.Cut(line, "<")
		if !ok {
			continue
		}
		flags := strings.Split(strings.TrimRight(list, ">"), ",")
		if slices.Contains(flags, "VMX") {
			return "vmx"
		}
		if slices.Contains(flags, "SVM") {
			return "svm"
		}
	}
	return ""
}

var ruleHeader = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^\s*\[[^\]=]*=\s*(\d+)\s*\]`) })

// ruleNumbers are the ruleset numbers that devfs.rules(5) names.
func ruleNumbers(rules string) []int {
	var out []int
	for _, m := range ruleHeader().FindAllStringSubmatch(rules, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && n < 1<<16 {
			out = append(out, n)
		}
	}
	return out
}

// interfacesOfType reads the interface indexes of one type out of a routing
// table dump: messages of a length, a version and a kind, of which if_msghdr
// (kind 0xe) has its index at byte 12 and if_data, whose first byte is the
// type, at 16.
func interfacesOfType(rib []byte, kind byte) []int {
	const ifInfo = 0xe
	var out []int
	for len(rib) >= 4 {
		n := int(binary.LittleEndian.Uint16(rib))
		if n < 4 || n > len(rib) {
			break
		}
		if m := rib[:n]; m[3] == ifInfo && n > 16 && m[16] == kind {
			out = append(out, int(binary.LittleEndian.Uint16(m[12:])))
		}
		rib = rib[n:]
	}
	return out
}

// orderFirmware puts the firmware to take first first and leaves out the
// templates for variables, which are none. A firmware of CSM is for BIOS
// guests, and last.
func orderFirmware(files []string) []string {
	rank := func(p string) int {
		switch b := path.Base(p); {
		case b == "BHYVE_UEFI.fd":
			return 0
		case b == "BHYVE_UEFI_CODE.fd":
			return 1
		case strings.Contains(b, "CSM"):
			return 3
		}
		return 2
	}
	out := slices.DeleteFunc(slices.Clone(files), func(p string) bool {
		return strings.Contains(path.Base(p), "VARS")
	})
	slices.SortStableFunc(out, func(a, b string) int { return rank(a) - rank(b) })
	return out
}
