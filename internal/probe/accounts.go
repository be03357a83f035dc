package probe

import (
	"fmt"
	"strconv"
	"strings"

	"skep/internal/host"
)

// idRange is a line of subuid(5) or subgid(5).
type idRange struct {
	owner        string // a user's name or number
	start, count int
}

// parseSubID reads subuid(5); lines it cannot make sense of are left out, as
// newuidmap(1) leaves them out.
func parseSubID(text string) []idRange {
	var out []idRange
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 || f[0] == "" {
			continue
		}
		start, err1 := strconv.ParseUint(f[1], 10, 32)
		count, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 != nil || err2 != nil || count == 0 {
			continue
		}
		out = append(out, idRange{f[0], int(start), int(count)})
	}
	return out
}

// largest is the largest range of a user, who may stand there by name or by
// number and more than once.
func largest(ranges []idRange, name string, uid int) (best idRange, ok bool) {
	number := strconv.Itoa(uid)
	for _, r := range ranges {
		if (r.owner == number || name != "" && r.owner == name) && r.count > best.count {
			best, ok = r, true
		}
	}
	return best, ok
}

// account is a line of passwd(5) or group(5): both have the name first and the
// number third.
type account struct {
	name string
	id   int
}

func parseAccounts(text string) []account {
	var out []account
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 3 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if id, err := strconv.Atoi(f[2]); err == nil {
			out = append(out, account{f[0], id})
		}
	}
	return out
}

// name looks a number up; "" when nobody has it.
func nameOf(accounts []account, id int) string {
	for _, a := range accounts {
		if a.id == id {
			return a.name
		}
	}
	return ""
}

// accountFiles are the texts of the files that hand out numbers; one that is
// missing is "".
type accountFiles struct{ passwd, group, subuid, subgid string }

// clash finds somebody with a claim to a number of the range: a cell that
// shared its uid with anyone could signal him and be signalled.
func (a accountFiles) clash(s host.Slots) string {
	last := s.UIDBase + 2*s.Count - 1 // a cell's and its worker's
	for _, f := range []struct{ what, text string }{{"user", a.passwd}, {"group", a.group}} {
		for _, x := range parseAccounts(f.text) {
			if x.id >= s.UIDBase && x.id <= last {
				return fmt.Sprintf("%s %s has number %d", f.what, x.name, x.id)
			}
		}
	}
	for _, f := range []struct{ file, text string }{{"/etc/subuid", a.subuid}, {"/etc/subgid", a.subgid}} {
		for _, r := range parseSubID(f.text) {
			if r.start <= last && r.start+r.count-1 >= s.UIDBase {
				return fmt.Sprintf("%s gives %d-%d to %s", f.file, r.start, r.start+r.count-1, r.owner)
			}
		}
	}
	return ""
}

// subID is the caller's range, or nil. It takes the two texts and whether both
// newuidmap(1) and newgidmap(1) can do their work, without which a range is of
// no use to an ordinary user.
func (a accountFiles) subID(uid int, helpers bool) *host.SubID {
	if !helpers {
		return nil
	}
	name := nameOf(parseAccounts(a.passwd), uid)
	u, ok1 := largest(parseSubID(a.subuid), name, uid)
	g, ok2 := largest(parseSubID(a.subgid), name, uid)
	if !ok1 || !ok2 {
		return nil
	}
	return &host.SubID{UIDStart: u.start, UIDCount: u.count, GIDStart: g.start, GIDCount: g.count}
}
