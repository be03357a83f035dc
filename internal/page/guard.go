package page

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
)

type connKey struct{}

// policy is what the page's own scripts may do in a browser: nothing from elsewhere, nothing inline. The terminal
// makes its style sheet while it runs: without 'unsafe-inline' for styles it draws black on black.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// visitor is whose request it is.
type visitor struct {
	conn    *conn
	session string
}

func (v visitor) ask(do Do) Ask { return Ask{Do: do, Conn: v.conn.ID, Session: v.session} }

// guard lets through what comes from the page itself or from no page at all, for a name that is the page's.
func (s *server) guard(next func(http.ResponseWriter, *http.Request, visitor)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		v, err := s.visitor(r)
		if err != nil {
			refuse(w, err)
			return
		}
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		}
		next(w, r, v)
	})
}

func (s *server) visitor(r *http.Request) (v visitor, err error) {
	in, _ := r.Context().Value(connKey{}).(net.Conn)
	secure, isTLS := in.(*tls.Conn)
	if isTLS {
		in = secure.NetConn()
	}
	v.conn = in.(*conn)
	if !v.conn.isNamed(r.Host, s.setup) {
		return v, errHost
	}
	if foreign(r, isTLS) {
		return v, errForbidden
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		v.session = bearer
	} else if c, err := r.Cookie(v.conn.cookie()); err == nil && v.conn.Way == Plain {
		v.session = c.Value
	}
	if isTLS && v.conn.told.CompareAndSwap(false, true) {
		ask := v.ask(Person)
		ask.Text = r.TLS.PeerCertificates[0].Subject.CommonName
		if _, err := s.ask(r.Context(), ask); err != nil {
			return v, err
		}
	}
	return v, nil
}

// isNamed says whether a browser that shows that name shows this page: a page elsewhere whose name leads here
// is another one.
func (c *conn) isNamed(host string, setup Setup) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), ""
	}
	switch c.Way {
	case Local: // by curl, or a port that ssh(1) forwards
		return name == "localhost" || name == "127.0.0.1" || name == "::1"
	case Plain:
		_, ours, _ := net.SplitHostPort(c.At)
		return host == c.At || name == "localhost" && port == ours
	}
	return setup.certifies(name)
}

// cookie has the port in its name: cookies of one host are those of all its ports.
func (c *conn) cookie() string {
	_, port, _ := net.SplitHostPort(c.At)
	return "skep-" + port
}

// foreign says whether a request that can change something comes from another page.
func foreign(r *http.Request, secure bool) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		// A link from elsewhere may be followed, to the page itself.
		return r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" || strings.HasPrefix(r.URL.Path, "/api/")
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false // no browser, or one that reads
	}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	return origin != scheme+r.Host
}

// refuse says no.
func refuse(w http.ResponseWriter, err error) {
	f := new(Fault)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
	case errors.As(err, &large):
		f = errLarge
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f = errGone // nobody reads this
	default:
		f = &Fault{http.StatusInternalServerError, "host", err.Error(), ""}
	}
	write(w, f.Status, struct {
		Version int    `json:"version"`
		Error   *Fault `json:"error"`
	}{Version, f})
}
