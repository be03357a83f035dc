package devfsctl

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"skep/internal/devfs"
)

// The kernel's struct devfs_rule: 32-bit words, a pattern of 200 bytes and two
// 16-bit halves, without padding, the same on every architecture.
const (
	ruleSize  = 236
	ruleMagic = 0xdb0a087a

	offMagic, offID, offCond, offTypes = 0, 4, 8, 12
	offPattern                         = 16
	offActs, offBool, offUID, offGID   = 216, 220, 224, 228
	offMode, offInclude                = 232, 234

	condTypes, condPath                                 = 1, 2
	actBool, actUID, actGID, actMode, actInclude, boolH = 1, 2, 4, 8, 16, 1
	boolUnhide                                          = 2
)

// The requests of sys/fs/devfs/devfs.h, numbered as sys/sys/ioccom.h does.
const (
	ioWrite     = 0x80000000
	ioReadWrite = 0xc0000000

	reqRuleAdd   = ioReadWrite | ruleSize<<16 | 'D'<<8 // number 0
	reqRuleDel   = ioWrite | 4<<16 | 'D'<<8 | 1
	reqRuleApply = ioWrite | ruleSize<<16 | 'D'<<8 | 2
	reqRuleNext  = ioReadWrite | ruleSize<<16 | 'D'<<8 | 4
	reqSetUse    = ioWrite | 2<<16 | 'D'<<8 | 10
	reqSetApply  = ioWrite | 2<<16 | 'D'<<8 | 11
	reqSetNext   = ioReadWrite | 2<<16 | 'D'<<8 | 12
)

// ruleID is how the kernel names a rule: set in the upper half.
func ruleID(set, rule int) uint32 { return uint32(set)<<16 | uint32(rule)&0xffff }

// encodeRule is a rule as the kernel takes it. Owners must be numbers: what a
// name means to the host is not what it means to us.
func encodeRule(set int, r devfs.Rule) ([ruleSize]byte, error) {
	var b [ruleSize]byte
	put := func(off int, v uint32) { binary.NativeEndian.PutUint32(b[off:], v) }
	if set < 0 || set > 0xffff || r.Number < 0 || r.Number > 0xffff || r.Include < 0 || r.Include > 0xffff {
		return b, fmt.Errorf("rule %q of set %d: a number is out of range", r, set)
	}
	put(offMagic, ruleMagic)
	put(offID, ruleID(set, r.Number))
	var cond, acts, boolean uint32
	if r.Types != 0 {
		cond |= condTypes
		put(offTypes, uint32(r.Types))
	}
	if r.HasPath {
		if len(r.Path) > devfs.MaxPattern || strings.IndexByte(r.Path, 0) >= 0 {
			return b, fmt.Errorf("rule %q: the pattern does not fit", r)
		}
		cond |= condPath
		copy(b[offPattern:], r.Path)
	}
	if r.Hide {
		acts, boolean = acts|actBool, boolean|boolH
	}
	if r.Unhide {
		acts, boolean = acts|actBool, boolean|boolUnhide
	}
	for _, owner := range []struct {
		text string
		off  int
		bit  uint32
	}{{r.User, offUID, actUID}, {r.Group, offGID, actGID}} {
		if owner.text == "" {
			continue
		}
		n, err := strconv.ParseUint(owner.text, 10, 32)
		if err != nil {
			return b, fmt.Errorf("rule %q: owner %q is not a number", r, owner.text)
		}
		acts |= owner.bit
		put(owner.off, uint32(n))
	}
	if r.HasMode {
		acts |= actMode
		binary.NativeEndian.PutUint16(b[offMode:], r.Mode)
	}
	if r.Include != 0 {
		acts |= actInclude
		binary.NativeEndian.PutUint16(b[offInclude:], uint16(r.Include))
	}
	put(offCond, cond)
	put(offActs, acts)
	put(offBool, boolean)
	return b, nil
}

// decodeRule reads a rule as the kernel gives it.
func decodeRule(b *[ruleSize]byte) (set int, r devfs.Rule, err error) {
	get := func(off int) uint32 { return binary.NativeEndian.Uint32(b[off:]) }
	if get(offMagic) != ruleMagic {
		return 0, r, fmt.Errorf("the kernel's rule has another layout: magic %#x", get(offMagic))
	}
	set, r.Number = int(get(offID)>>16), int(get(offID)&0xffff)
	cond, acts, boolean := get(offCond), get(offActs), get(offBool)
	if cond&condTypes != 0 {
		r.Types = devfs.Type(get(offTypes))
	}
	if cond&condPath != 0 {
		r.HasPath = true
		r.Path, _, _ = strings.Cut(string(b[offPattern:offActs]), "\x00")
	}
	r.Hide = acts&actBool != 0 && boolean&boolH != 0
	r.Unhide = acts&actBool != 0 && boolean&boolUnhide != 0
	if acts&actUID != 0 {
		r.User = strconv.FormatUint(uint64(get(offUID)), 10)
	}
	if acts&actGID != 0 {
		r.Group = strconv.FormatUint(uint64(get(offGID)), 10)
	}
	if acts&actMode != 0 {
		r.HasMode, r.Mode = true, binary.NativeEndian.Uint16(b[offMode:])
	}
	if acts&actInclude != 0 {
		r.Include = int(binary.NativeEndian.Uint16(b[offInclude:]))
	}
	return set, r, nil
}
