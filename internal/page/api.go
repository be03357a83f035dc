package page

import (
	"embed"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

// kinds are the files of the page. What has another name is not served.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/manifest+json",
}

// routes is all that can be asked for. docs/api.md describes it.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request, visitor)) {
		mux.Handle(pattern, s.guard(h))
	}
	handle("/", s.file)
	handle("GET /login", s.login)
	handle("GET /metrics", s.metrics)
	handle("/api/", func(w http.ResponseWriter, _ *http.Request, _ visitor) { refuse(w, errNotThere) })
	handle("GET /api/v1", s.simple(Me))
	handle("GET /api/v1/cells", s.simple(Cells))
	handle("GET /api/v1/changes", s.changes)
	handle("GET /api/v1/images", s.simple(Images))
	handle("GET /api/v1/events", s.simple(Events))
	handle("POST /api/v1/check", s.check)
	handle("POST /api/v1/links", s.link)
	const one = "/api/v1/cells/{cell}"
	handle("GET "+one, s.simple(Show))
	for do, name := range map[Do]string{Snapshots: "snapshots", Audit: "audit", Plan: "plan", Explain: "explain", File: "file"} {
		handle("GET "+one+"/"+name, s.simple(do))
	}
	handle("PUT "+one+"/file", s.save)
	handle("GET "+one+"/log", s.log)
	handle("GET "+one+"/console", s.console)
	handle("GET "+one+"/screen", s.screen)
	handle("GET "+one+"/screen.png", s.picture)
	handle("POST "+one+"/snapshots", s.snapshot)
	handle("DELETE "+one+"/snapshots/{text}", s.simple(Forget))
	handle("POST "+one+"/snapshots/{text}/revert", s.simple(Revert))
	for verb := range Verbs {
		handle("POST "+one+"/"+verb, func(w http.ResponseWriter, r *http.Request, v visitor) {
			ask := v.ask(Act)
			ask.Cell, ask.Text = r.PathValue("cell"), verb
			s.answer(w, r, ask)
		})
	}
	return mux
}

// simple asks for something of the cell and the text that the path names.
func (s *server) simple(do Do) func(http.ResponseWriter, *http.Request, visitor) {
	return func(w http.ResponseWriter, r *http.Request, v visitor) {
		ask := v.ask(do)
		ask.Cell, ask.Text = r.PathValue("cell"), r.PathValue("text")
		s.answer(w, r, ask)
	}
}

// answer asks, and hands on what is answered.
func (s *server) answer(w http.ResponseWriter, r *http.Request, ask Ask) {
	got, err := s.ask(r.Context(), ask)
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, got.Status, got.Body)
}

// body reads JSON of one fixed form. An empty one is as good as {}.
func body(r *http.Request, v any) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if len(text) > 0 && json.Unmarshal(text, v) != nil {
		return errInput
	}
	return nil
}

func (s *server) snapshot(w http.ResponseWriter, r *http.Request, v visitor) {
	var in struct{ Tag string }
	if err := body(r, &in); err != nil {
		refuse(w, err)
		return
	}
	ask := v.ask(Snapshot)
	ask.Cell, ask.Text = r.PathValue("cell"), in.Tag
	s.answer(w, r, ask)
}

func (s *server) save(w http.ResponseWriter, r *http.Request, v visitor) {
	var in struct{ Text string }
	if err := body(r, &in); err != nil {
		refuse(w, err)
		return
	}
	ask := v.ask(Save)
	ask.Cell, ask.Text = r.PathValue("cell"), in.Text
	s.answer(w, r, ask)
}

func (s *server) link(w http.ResponseWriter, r *http.Request, v visitor) {
	in := struct {
		ReadOnly bool   `json:"read_only"`
		As       string `json:"as"`
	}{}
	if err := body(r, &in); err != nil {
		refuse(w, err)
		return
	}
	ask := v.ask(Link)
	ask.Look, ask.Text = in.ReadOnly, in.As
	s.answer(w, r, ask)
}

// login takes a link's token, which is good for one time, and answers with a cookie. It goes on by a page and
// not by a redirect: a link in a letter comes from another site, and a strict cookie would stay out.
func (s *server) login(w http.ResponseWriter, r *http.Request, v visitor) {
	ask := v.ask(Login)
	ask.Text = r.URL.Query().Get("token")
	got, err := s.ask(r.Context(), ask)
	var session struct{ Session string }
	if err == nil {
		err = json.Unmarshal(got.Body, &session)
	}
	if err != nil {
		s.stranger(w, http.StatusUnauthorized, "This link is no longer good", "A link is good for one time and one hour. Ask whoever runs skep serve for another one.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: v.conn.cookie(), Value: session.Session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	raw(w, http.StatusOK, kinds[".html"], []byte(`<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>skep</title><a href="/">skep</a>`))
}

// stranger is a page for somebody who is not known.
func (s *server) stranger(w http.ResponseWriter, status int, title, text string) {
	page, _ := web.ReadFile("web/stranger.html")
	out := strings.NewReplacer("{title}", html.EscapeString(title), "{text}", html.EscapeString(text)).Replace(string(page))
	raw(w, status, kinds[".html"], []byte(out))
}

// file serves the page itself: to whom it may concern. Its style and its mark are everybody's.
func (s *server) file(w http.ResponseWriter, r *http.Request, v visitor) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" {
		name = "index.html"
		if _, err := s.ask(r.Context(), v.ask(Me)); err != nil {
			f, _ := err.(*Fault)
			switch {
			case f == nil:
				refuse(w, err)
			case f.Status == http.StatusUnauthorized:
				s.stranger(w, f.Status, "Who are you?", "Open the link that skep serve has printed. It signs this browser in.")
			default:
				s.stranger(w, f.Status, "Not yours to see", "Your user may do nothing with the cells of this host.")
			}
			return
		}
	}
	kind, ok := kinds[path.Ext(name)]
	body, err := embedded(name)
	if !ok || err != nil || r.Method != http.MethodGet || name == "stranger.html" {
		refuse(w, errNotThere)
		return
	}
	raw(w, http.StatusOK, kind, body)
}

// embedded is a file of the page. What noVNC has in a directory vendor has another name here, since Go leaves such
// directories out of what it downloads.
func embedded(name string) ([]byte, error) {
	return web.ReadFile(path.Join("web", strings.Replace(name, "novnc/vendor/", "novnc/others/", 1)))
}

// metrics hands on what Prometheus reads.
func (s *server) metrics(w http.ResponseWriter, r *http.Request, v visitor) {
	got, err := s.ask(r.Context(), v.ask(Metrics))
	if err != nil {
		refuse(w, err)
		return
	}
	raw(w, got.Status, "text/plain; version=0.0.4; charset=utf-8", got.Data)
}

func (s *server) picture(w http.ResponseWriter, r *http.Request, v visitor) {
	ask := v.ask(Picture)
	ask.Cell = r.PathValue("cell")
	got, err := s.ask(r.Context(), ask)
	if err != nil {
		refuse(w, err)
		return
	}
	raw(w, got.Status, "image/png", got.Data)
}

// changes sends the list of cells each time that it is another one.
func (s *server) changes(w http.ResponseWriter, r *http.Request, v visitor) {
	const pause = 2 * time.Second
	out := http.NewResponseController(w)
	var last string
	for first := true; ; first = false {
		got, err := s.ask(r.Context(), v.ask(Cells))
		if err != nil {
			if first {
				refuse(w, err)
			}
			return
		}
		text := "event: same\ndata: {}\n\n"
		if string(got.Body) != last {
			last = string(got.Body)
			text = "event: cells\ndata: " + last + "\n\n"
		}
		if first {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		_ = out.SetWriteDeadline(time.Now().Add(writeWait))
		if _, err := io.WriteString(w, text); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		case <-time.After(pause):
		}
	}
}
