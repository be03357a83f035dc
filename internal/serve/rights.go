package serve

import (
	"net/http"
	"os/user"
	"slices"
	"strconv"

	"skep/internal/access"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/page"
)

// Some is what somebody may whom the cell files of some running cells give access: what stands there, cell by cell.
const Some May = "some"

// List is a list of cells as whoever may do all sees it.
type List interface {
	// Of is what of it somebody sees who has rights on some cells, with those.
	Of(rights map[string][]string) any
}

// takes is the right of an access block that a request about a cell takes. What is not here is for those who may do
// all. Changes are made by skep as that user, so the cell's keeper looks again.
var takes = map[page.Do]string{
	page.Show: cell.MayRead, page.Audit: cell.MayRead, page.Plan: cell.MayRead, page.Explain: cell.MayRead,
	page.Snapshots: cell.MayRead, page.Log: cell.MayRead,
	page.Screen: cell.MayScreen, page.Picture: cell.MayScreen,
	page.Act: cell.MayPower,
}

// othersVerbs are the verbs that a keeper takes of others. A cell is started by whoever may do all.
var othersVerbs = []string{"stop", "kill", "pause", "resume"}

// allows says whether somebody with rights on some cells may ask for that.
func (p Person) allows(a page.Ask) *page.Fault {
	may := p.rights[a.Cell]
	right, there := takes[a.Do]
	switch {
	case a.Do == page.Me || a.Do == page.Cells:
		return nil
	case a.Do == page.Console && (slices.Contains(may, cell.MayConsole) || slices.Contains(may, cell.MayRead)):
		return nil
	case there && slices.Contains(may, right) && (a.Do != page.Act || slices.Contains(othersVerbs, a.Text)):
		return nil
	}
	f := &page.Fault{Status: http.StatusForbidden, Code: "forbidden", Message: "you may not do this",
		Hint: "an access block in the cell's file says who may what; root and whoever the cells are of may do all"}
	if a.Cell != "" && len(may) == 0 {
		f.Message = "you have no access to this cell"
	}
	return f
}

// settle finds out what somebody may who is nobody to this host's cells as a whole.
func (s *Server) settle(who Person) Person {
	if who.May == Nothing && who.UID > 0 && s.Rights != nil {
		if who.rights = s.Rights(access.Who{UID: who.UID, Groups: who.Groups}); len(who.rights) > 0 {
			who.May = Some
		}
	}
	return who
}

// Named is a user of this host, with the groups that the account has.
func (s *Server) Named(name string) (Person, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return Person{}, fault.Fail(fault.Input, "", "this host has no user %q", name)
	}
	who := Person{Name: name}
	if who.UID, err = strconv.Atoi(u.Uid); err != nil {
		return Person{}, err
	}
	groups, _ := u.GroupIds()
	for _, g := range groups {
		if n, err := strconv.Atoi(g); err == nil {
			who.Groups = append(who.Groups, n)
		}
	}
	who.May = s.May(who.UID)
	return who, nil
}

// LinkFor makes a one-time link's token for a user of this host.
func (s *Server) LinkFor(name string) (string, error) {
	who, err := s.Named(name)
	if err != nil {
		return "", err
	}
	return s.people.link(who), nil
}
