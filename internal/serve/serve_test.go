package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"skep/internal/access"
	"skep/internal/cell"
	"skep/internal/page"
	"skep/internal/unixsock"
)

// fixture is a host with one cell whose console is a pair of sockets; the page runs without its jail. The real
// host, and the jail, are tested in package e2e.
type fixture struct {
	Host
	guest *net.UnixConn
	log   string
	runs  chan string
	list  any
}

func (f *fixture) Cells() (any, error) {
	if f.list != nil {
		return f.list, nil
	}
	return map[string]any{"version": 1, "cells": []map[string]string{{"name": "web"}}}, nil
}

func (f *fixture) Log(name, of string) (*os.File, error) { return os.Open(f.log) }

func (f *fixture) Console(context.Context, string) (*os.File, func(), error) {
	if f.guest != nil {
		return nil, nil, errors.New("somebody else is there")
	}
	dir := filepath.Dir(f.log)
	l, err := unixsock.Listen(filepath.Join(dir, "console"))
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	c, err := unixsock.Dial(filepath.Join(dir, "console"))
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	f.guest, err = l.AcceptUnix()
	if err != nil {
		return nil, nil, err
	}
	file, err := c.File()
	return file, func() { f.guest.Close(); f.guest = nil; os.Remove(filepath.Join(dir, "console")) }, err
}

func (f *fixture) Run(_ context.Context, who Person, args ...string) ([]byte, error) {
	f.runs <- who.Name + " " + strings.Join(args, " ")
	return []byte("{}"), nil
}

// world is a server with a socket and an address.
type world struct {
	*fixture
	server *Server
	socket string
	at     string // host and port
	cancel func()
}

func newWorld(t *testing.T, may func(int) May) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{fixture: &fixture{log: filepath.Join(dir, "log"), runs: make(chan string, 8)}, socket: filepath.Join(dir, "s")}
	if err := os.WriteFile(w.log, []byte("[skep: started]\nbooted\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	local, err := unixsock.Listen(w.socket)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.at = plain.Addr().String()
	w.server = New(Config{Host: w.fixture, InProcess: true, May: may, Owner: Person{Name: "owner", UID: os.Geteuid(), May: All}, Bearer: "a bearer's long secret",
		Listeners: []Listener{{local, page.Local}, {plain, page.Plain}}, Say: t.Logf, Setup: page.Setup{Host: "test"}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.server.Serve(ctx) }()
	w.cancel = cancel
	t.Cleanup(func() {
		cancel()
		local.Close()
		plain.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

func all(int) May { return All }

// onSocket is a client of the UNIX socket.
func (w *world) onSocket() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return unixsock.Dial(w.socket)
	}}}
}

// browser is a client that has opened a link.
func (w *world) browser(t *testing.T, may May) *http.Client {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	if got, _ := do(t, c, "GET", "http://"+w.at+"/login?token="+w.server.Link(may), nil); got != http.StatusOK {
		t.Fatalf("the link gives %d", got)
	}
	return c
}

// do makes a request and returns its status and body.
func do(t *testing.T, c *http.Client, method, url string, header http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Host = header.Get("Host")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Security-Policy") == "" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: headers are missing: %v", method, url, resp.Header)
	}
	return resp.StatusCode, string(b)
}

// TestWhoMay: each way in, and each way to be kept out.
func TestWhoMay(t *testing.T) {
	w := newWorld(t, all)
	page, socket := "http://"+w.at, "http://localhost"
	local, owner, looker, nobody := w.onSocket(), w.browser(t, All), w.browser(t, Look), http.DefaultClient
	bearer := http.Header{"Authorization": {"Bearer a bearer's long secret"}}
	for _, one := range []struct {
		about  string
		client *http.Client
		method string
		url    string
		header http.Header
		want   int
	}{
		{"the socket", local, "GET", socket + "/api/v1/cells", nil, 200},
		{"the socket, by a port that ssh forwards", local, "GET", socket + "/api/v1/cells", http.Header{"Host": {"localhost:8080"}}, 200},
		{"the socket, by a name that was made to lead there", local, "GET", socket + "/api/v1/cells", http.Header{"Host": {"evil.example"}}, 403},
		{"another page posts to the socket", local, "POST", socket + "/api/v1/cells/web/stop", http.Header{"Origin": {"http://evil.example"}}, 403},
		{"nobody", nobody, "GET", page + "/api/v1/cells", nil, 401},
		{"nobody asks for the page", nobody, "GET", page + "/", nil, 401},
		{"nobody asks for its style", nobody, "GET", page + "/app.css", nil, 200},
		{"a cookie that was made up", nobody, "GET", page + "/api/v1", http.Header{"Cookie": {"skep-" + w.at[strings.LastIndexByte(w.at, ':')+1:] + "=abc"}}, 401},
		{"the owner", owner, "GET", page + "/api/v1/cells", nil, 200},
		{"the owner by the name localhost", owner, "GET", page + "/app.js", http.Header{"Host": {"localhost" + w.at[strings.LastIndexByte(w.at, ':'):]}}, 200},
		{"a forged Host", owner, "GET", page + "/api/v1/cells", http.Header{"Host": {"evil.example"}}, 403},
		{"a forged Host with the port", owner, "GET", page + "/api/v1/cells", http.Header{"Host": {"evil.example" + w.at[strings.LastIndexByte(w.at, ':'):]}}, 403},
		{"another page's form", owner, "POST", page + "/api/v1/cells/web/stop", http.Header{"Origin": {"http://evil.example"}}, 403},
		{"another port's page", owner, "POST", page + "/api/v1/cells/web/stop", http.Header{"Origin": {"http://127.0.0.1:1"}}, 403},
		{"a page without an origin", owner, "POST", page + "/api/v1/cells/web/stop", http.Header{"Origin": {"null"}}, 403},
		{"another page's picture", owner, "GET", page + "/api/v1/cells", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}}, 403},
		{"a link from another page", owner, "GET", page + "/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}}, 200},
		{"the page's own request", owner, "POST", page + "/api/v1/cells/web/stop", http.Header{"Origin": {page}, "Sec-Fetch-Site": {"same-origin"}}, 200},
		{"who may look looks", looker, "GET", page + "/api/v1/cells", nil, 200},
		{"who may look stops", looker, "POST", page + "/api/v1/cells/web/stop", nil, 403},
		{"who may look reverts", looker, "POST", page + "/api/v1/cells/web/snapshots/a/revert", nil, 403},
		{"who may look writes", looker, "PUT", page + "/api/v1/cells/web/file", nil, 403},
		{"who may look makes a link", looker, "POST", page + "/api/v1/links", nil, 403},
		{"who may look asks for the screen", looker, "GET", page + "/api/v1/cells/web/screen", nil, 403},
		{"Prometheus asks for cells", nobody, "GET", page + "/api/v1/cells", bearer, 403},
		{"a name that is a flag", owner, "POST", page + "/api/v1/cells/--all/stop", nil, 400},
		{"a name that is a path", owner, "POST", page + "/api/v1/cells/..%2f..%2fx/stop", nil, 400},
		{"a verb that there is not", owner, "POST", page + "/api/v1/cells/web/explode", nil, 404},
		{"a file that there is not", owner, "GET", page + "/nothing.js", nil, 404},
		{"a file beside the page", owner, "GET", page + "/..%2fserver.go", nil, 404},
	} {
		if got, body := do(t, one.client, one.method, one.url, one.header); got != one.want {
			t.Errorf("%s: %d, want %d: %s", one.about, got, one.want, body)
		}
	}
	if got := <-w.runs; got != "owner down -- web" {
		t.Errorf("%q was run", got)
	}
	select {
	case more := <-w.runs:
		t.Errorf("%q was run too", more)
	default:
	}
}

// TestLinkIsGoodOnce: the second who opens it stays out.
func TestLinkIsGoodOnce(t *testing.T) {
	w := newWorld(t, all)
	url := "http://" + w.at + "/login?token=" + w.server.Link(All)
	if got, _ := do(t, http.DefaultClient, "GET", url, nil); got != 200 {
		t.Fatalf("the first gets %d", got)
	}
	if got, body := do(t, http.DefaultClient, "GET", url, nil); got != 401 || !strings.Contains(body, "no longer good") {
		t.Errorf("the second gets %d: %s", got, body)
	}
}

// TestPeersWhoMayNothing: the socket tells who is at its other end, and root's word is not everybody's.
func TestPeersWhoMayNothing(t *testing.T) {
	asked := -1
	w := newWorld(t, func(uid int) May { asked = uid; return Nothing })
	for _, path := range []string{"/", "/api/v1", "/api/v1/cells", "/metrics", "/api/v1/cells/web/console"} {
		if got, body := do(t, w.onSocket(), "GET", "http://localhost"+path, nil); got != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, got, body)
		}
	}
	if asked != os.Geteuid() {
		t.Errorf("the peer was taken for %d", asked)
	}
}

// TestLinkForAnother: who may do all makes links for others, who get no more than it says.
func TestLinkForAnother(t *testing.T) {
	w := newWorld(t, all)
	resp, err := w.onSocket().Post("http://localhost/api/v1/links", "application/json", strings.NewReader(`{"read_only":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var link struct{ Path, May string }
	if err := json.NewDecoder(resp.Body).Decode(&link); err != nil || link.May != "look" {
		t.Fatal(link, err)
	}
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	do(t, c, "GET", "http://"+w.at+link.Path, nil)
	if got, _ := do(t, c, "POST", "http://"+w.at+"/api/v1/cells/web/kill", nil); got != http.StatusForbidden {
		t.Errorf("who may look kills: %d", got)
	}
}

// TestLinkAsAnother: a link for a user of this host signs in that user, who may what cell files say.
func TestLinkAsAnother(t *testing.T) {
	u, err := user.LookupId("65534")
	if err != nil {
		t.Skip("this host has no user 65534")
	}
	if os.Geteuid() == 65534 {
		t.Skip("the user is the one who makes the link")
	}
	w := newWorld(t, func(uid int) May {
		if uid == os.Geteuid() {
			return All
		}
		return Nothing
	})
	asked := -1
	w.server.Rights = func(who access.Who) map[string][]string {
		asked = who.UID
		return map[string][]string{"web": {cell.MayPower}}
	}
	post := func(body string) (int, string) {
		t.Helper()
		resp, err := w.onSocket().Post("http://localhost/api/v1/links", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		said, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(said)
	}
	for body, want := range map[string]string{
		`{"as":"no-such-user"}`:                               "this host has no user",
		fmt.Sprintf(`{"as":%q,"read_only":true}`, u.Username): "access blocks say what that user may",
	} {
		if got, said := post(body); got != http.StatusBadRequest || !strings.Contains(said, want) {
			t.Errorf("%s: %d %s", body, got, said)
		}
	}
	got, said := post(fmt.Sprintf(`{"as":%q}`, u.Username))
	var link struct{ Path, May string }
	if err := json.Unmarshal([]byte(said), &link); got != http.StatusOK || err != nil || link.May != string(Some) || asked != 65534 {
		t.Fatalf("%d %s, %v; rights were asked of %d", got, said, err, asked)
	}
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	if got, said := do(t, c, "GET", "http://"+w.at+link.Path, nil); got != http.StatusOK {
		t.Fatal(got, said)
	}
	if got, said := do(t, c, "POST", "http://"+w.at+"/api/v1/cells/web/kill", nil); got != http.StatusOK {
		t.Errorf("the user may not kill: %d %s", got, said)
	}
	if run := <-w.runs; !strings.HasPrefix(run, u.Username+" kill ") {
		t.Errorf("%q is run", run)
	}
	for _, path := range []string{"/api/v1/cells/other/kill", "/api/v1/cells/web/start", "/api/v1/links"} {
		if got, said := do(t, c, "POST", "http://"+w.at+path, nil); got != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, got, said)
		}
	}
}

// listOf is a list of the fixture's cells.
type listOf []string

func (l listOf) Of(rights map[string][]string) any {
	var some []string
	for _, name := range l {
		if len(rights[name]) > 0 {
			some = append(some, name)
		}
	}
	return some
}

// TestAccess: a user to whom cell files give something may do that, on those cells, and no more; each way to ask.
func TestAccess(t *testing.T) {
	w := newWorld(t, func(int) May { return Nothing })
	w.list = listOf{"web", "other"}
	rights := map[string][]string{}
	w.server.Rights = func(access.Who) map[string][]string { return rights }
	uid := os.Geteuid()
	if uid == 0 {
		uid = 65534
	}
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	if got, _ := do(t, c, "GET", "http://"+w.at+"/login?token="+w.server.people.link(Person{Name: "analyst", UID: uid}), nil); got != http.StatusOK {
		t.Fatal(got)
	}
	ask := func(what string) (int, string) {
		method, path, _ := strings.Cut(what, " ")
		return do(t, c, method, "http://"+w.at+"/api/v1"+path, nil)
	}
	if got, _ := ask("GET /cells"); got != http.StatusForbidden {
		t.Errorf("without any right the list is %d", got)
	}
	go func() {
		for range w.runs { // what is run is of no interest here
		}
	}()
	takes := map[string]string{
		"GET /cells/web": "read", "GET /cells/web/plan": "read", "GET /cells/web/explain": "read", "GET /cells/web/log": "read",
		"GET /cells/web/snapshots": "read", "POST /cells/web/stop": "power", "POST /cells/web/kill": "power",
		"POST /cells/web/pause": "power", "POST /cells/web/resume": "power",
		"POST /cells/web/start": "", "POST /cells/web/restart": "", "POST /cells/web/snapshots": "", "GET /events": "",
		"GET /cells/web/file": "", "GET /images": "", "POST /links": "", "GET /cells/other": "", "POST /cells/other/stop": "",
	}
	for _, right := range cell.AllRights() {
		rights = map[string][]string{"web": {right}}
		for what, takes := range takes {
			if got, body := ask(what); (got == http.StatusForbidden) == (takes == right) {
				t.Errorf("%s with %s: %d %s", what, right, got, body)
			}
		}
		if got, body := ask("GET /cells"); got != http.StatusOK || body != "[\"web\"]\n" && body != "[\"web\"]" {
			t.Errorf("the list: %d %q", got, body)
		}
		if got, body := ask("GET "); got != http.StatusOK || !strings.Contains(body, `"may":"some"`) {
			t.Errorf("who it is: %d %s", got, body)
		}
	}
	for right, word := range map[string]string{cell.MayRead: `"reason":"you may only look"`, cell.MayConsole: `"may_type":true`} {
		rights = map[string][]string{"web": {right}}
		ws, err := w.dial(t, c, "")
		if err != nil {
			t.Fatal(err)
		}
		until(t, ws, word)
		ws.CloseNow()
	}
	rights = map[string][]string{"web": {cell.MayPower}}
	if ws, err := w.dial(t, c, ""); err == nil {
		ws.CloseNow()
		t.Error("who has power joins the console")
	}
}

// dial joins the console.
func (w *world) dial(t *testing.T, c *http.Client, origin string) (*websocket.Conn, error) {
	t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	ws, resp, err := websocket.Dial(t.Context(), "ws://"+w.at+"/api/v1/cells/web/console", &websocket.DialOptions{HTTPClient: c, HTTPHeader: header})
	if err == nil {
		t.Cleanup(func() { ws.CloseNow() })
		ws.SetReadLimit(64 << 20)
	} else if resp != nil && resp.StatusCode != http.StatusForbidden {
		t.Errorf("refused with %d", resp.StatusCode)
	}
	return ws, err
}

// until reads a console until text has come, and returns what came as text messages before.
func until(t *testing.T, ws *websocket.Conn, text string) (said []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []byte
	for !bytes.Contains(got, []byte(text)) {
		kind, b, err := ws.Read(ctx)
		if err != nil {
			t.Fatalf("waiting for %q: %v; so far %q and %q", text, err, got, said)
		}
		if kind == websocket.MessageText {
			said = append(said, string(b))
			got = append(got, b...)
			continue
		}
		got = append(got, b...)
	}
	return said
}

func TestConsole(t *testing.T) {
	w := newWorld(t, all)
	if _, err := w.dial(t, w.browser(t, All), "http://evil.example"); err == nil {
		t.Error("another page's WebSocket comes in")
	}
	first, err := w.dial(t, w.browser(t, All), "http://"+w.at)
	if err != nil {
		t.Fatal(err)
	}
	until(t, first, "[skep: started]\r\nbooted\r\n") // its log comes first
	until(t, first, `"may_type":true`)
	second, err := w.dial(t, w.browser(t, All), "http://"+w.at)
	if err != nil {
		t.Fatal(err)
	}
	until(t, second, `"may_type":true`)
	looker, err := w.dial(t, w.browser(t, Look), "http://"+w.at)
	if err != nil {
		t.Fatal(err)
	}
	until(t, looker, "you may only look")

	// Two browsers type, and one who may not.
	ctx := t.Context()
	for _, ws := range []*websocket.Conn{first, second, looker} {
		if err := ws.Write(ctx, websocket.MessageBinary, []byte("typed;")); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, 12)
	_ = w.guest.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(w.guest, got); err != nil || string(got) != "typed;typed;" {
		t.Fatalf("%q, %v", got, err)
	}
	_ = w.guest.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, _ := w.guest.Read(got); n > 0 {
		t.Errorf("who may only look has typed %q", got[:n])
	}
	// All who are there see what the guest says; who may only look reads its log.
	if _, err := w.guest.Write([]byte("login: ")); err != nil {
		t.Fatal(err)
	}
	until(t, first, "login: ")
	until(t, second, "login: ")
	f, err := os.OpenFile(w.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("login: "); err != nil {
		t.Fatal(err)
	}
	until(t, looker, "login: ")

	// The cell ends while its tab is open.
	w.guest.Close()
	until(t, first, `"ended"`)
	until(t, second, `"ended"`)
}

// TestMuchIsTyped: a paste that the guest does not read holds nothing up but itself, and no memory.
func TestMuchIsTyped(t *testing.T) {
	w := newWorld(t, all)
	ws, err := w.dial(t, w.browser(t, All), "")
	if err != nil {
		t.Fatal(err)
	}
	until(t, ws, `"may_type":true`)
	if err := ws.Write(t.Context(), websocket.MessageBinary, make([]byte, 65<<10)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, _, err := ws.Read(ctx); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("one message of 65 KiB: %v", err)
	}
	ws, err = w.dial(t, w.browser(t, All), "")
	if err != nil {
		t.Fatal(err)
	}
	until(t, ws, `"may_type":true`)
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	piece, sent := make([]byte, 32<<10), 0
	for sent < 1<<30 {
		if ws.Write(ctx, websocket.MessageBinary, piece) != nil {
			break
		}
		sent += len(piece)
	}
	if sent > 64<<20 {
		t.Errorf("%d bytes that nobody reads were taken", sent)
	}
	if got, _ := do(t, w.onSocket(), "GET", "http://localhost/api/v1/cells", nil); got != http.StatusOK {
		t.Errorf("others get %d", got)
	}
}

// TestSlowClient: one that never reads is left behind, and others are not.
func TestSlowClient(t *testing.T) {
	w := newWorld(t, all)
	slow, err := w.dial(t, w.browser(t, All), "")
	if err != nil {
		t.Fatal(err)
	}
	until(t, slow, `"may_type":true`)
	quick, err := w.dial(t, w.browser(t, All), "")
	if err != nil {
		t.Fatal(err)
	}
	until(t, quick, `"may_type":true`)
	go func() {
		flood := bytes.Repeat([]byte("flood "), 1<<13)
		for range 600 { // some 28 MiB
			if _, err := w.guest.Write(flood); err != nil {
				return
			}
		}
		_, _ = w.guest.Write([]byte("the end"))
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, b, err := quick.Read(ctx)
		if err != nil {
			t.Fatalf("the quick one: %v", err)
		}
		if bytes.Contains(b, []byte("the end")) {
			break
		}
	}
	for {
		if _, _, err := slow.Read(ctx); err != nil {
			if ctx.Err() != nil {
				t.Error("the slow one is kept")
			}
			return
		}
	}
}

// TestHalfARequest: whoever sends a header a byte at a time does not keep others out.
func TestHalfARequest(t *testing.T) {
	w := newWorld(t, all)
	for range 50 {
		c, err := net.Dial("tcp", w.at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHo"); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := do(t, w.browser(t, All), "GET", "http://"+w.at+"/api/v1/cells", nil); got != http.StatusOK {
		t.Errorf("others get %d", got)
	}
}
