package serve

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"sync"
	"time"

	"skep/internal/access"
	"skep/internal/page"
	"skep/internal/unixsock"
)

// May is what somebody may.
type May string

// What there is.
const (
	Nothing May = ""
	Scrape  May = "metrics" // the metrics and nothing else
	Look    May = "look"
	All     May = "all"
)

// A Person is who asks.
type Person struct {
	Name   string
	UID    int
	May    May
	Groups []int
	rights map[string][]string // on some cells, of Some
}

// How long links and sessions are good.
const (
	linkTime    = time.Hour
	sessionTime = 12 * time.Hour // after it was last used
)

// people are who came by a link. What is kept of a secret is its digest.
type people struct {
	mu       sync.Mutex
	links    map[[32]byte]entry
	sessions map[[32]byte]entry
}

type entry struct {
	person Person
	until  time.Time
}

func (p *people) init() {
	p.links, p.sessions = map[[32]byte]entry{}, map[[32]byte]entry{}
}

func secret() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// link makes a token that signs one browser in.
func (p *people) link(who Person) string {
	token := secret()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for k, e := range p.links {
		if now.After(e.until) {
			delete(p.links, k)
		}
	}
	p.links[sha256.Sum256([]byte(token))] = entry{who, now.Add(linkTime)}
	return token
}

// login takes a token, which is good once, and gives a session.
func (p *people) login(token string) (string, Person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := sha256.Sum256([]byte(token))
	e, ok := p.links[key]
	delete(p.links, key)
	now := time.Now()
	if !ok || now.After(e.until) {
		return "", Person{}, false
	}
	for k, e := range p.sessions {
		if now.After(e.until) {
			delete(p.sessions, k)
		}
	}
	session := secret()
	p.sessions[sha256.Sum256([]byte(session))] = entry{e.person, now.Add(sessionTime)}
	return session, e.person, true
}

// of is whose a session is.
func (p *people) of(session string) (Person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := sha256.Sum256([]byte(session))
	e, ok := p.sessions[key]
	if !ok || time.Now().After(e.until) {
		delete(p.sessions, key)
		return Person{}, false
	}
	e.until = time.Now().Add(sessionTime)
	p.sessions[key] = e
	return e.person, true
}

// peer is the user at the other end of a UNIX socket, as the kernel says.
func (s *Server) peer(c *net.UnixConn) Person {
	cred, ok := unixsock.PeerCred(c)
	if !ok {
		return Person{}
	}
	return Person{Name: access.Name(cred.UID), UID: cred.UID, May: s.May(cred.UID), Groups: cred.Groups}
}

// who asks, and whether they may.
func (s *Server) who(a page.Ask) (Person, *page.Fault) {
	s.mu.Lock()
	v := s.open[a.Conn]
	s.mu.Unlock()
	if v == nil {
		return Person{}, errUnknown
	}
	who := v.person
	if v.way == page.Plain {
		var ok bool
		if who, ok = s.people.of(a.Session); !ok {
			if s.Bearer == "" || subtle.ConstantTimeCompare([]byte(s.Bearer), []byte(a.Session)) != 1 {
				return who, errUnknown
			}
			who = Person{Name: "metrics", UID: -1, May: Scrape}
		}
	}
	if who = s.settle(who); who.May == Some {
		return who, who.allows(a)
	}
	return who, allowed(who, a.Do)
}

// allowed says whether somebody may ask for that.
func allowed(who Person, do page.Do) *page.Fault {
	need := Look
	switch do {
	case page.Act, page.Snapshot, page.Revert, page.Forget, page.Save, page.Link, page.Screen:
		need = All
	case page.Metrics:
		need = Scrape
	}
	rank := map[May]int{Nothing: 0, Scrape: 1, Look: 2, All: 3}
	if rank[who.May] >= rank[need] {
		return nil
	}
	f := &page.Fault{Status: http.StatusForbidden, Code: "forbidden", Message: "you may only look"}
	if who.May != Look {
		f.Message, f.Hint = "you may not see this", "root and whoever the cells are of may"
	}
	return f
}

var errUnknown = &page.Fault{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "who you are is not known",
	Hint: "open a link that skep serve has printed"}

// certified notes whose certificate the page has verified on a connection. It is a user of this host.
func (s *Server) certified(a page.Ask) {
	who := Person{Name: a.Text, UID: -1}
	if p, err := s.Named(a.Text); err == nil {
		who = p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.open[a.Conn]; v != nil && v.way == page.TLS {
		v.person = who
	}
}
