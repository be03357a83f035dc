package keeper

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skep/internal/access"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/input"
	"skep/internal/layout"
	"skep/internal/unixsock"
)

// What each request of others takes. It is written out a second time, so that no row comes by accident.
var takes = map[string]string{
	"state": "any", "show": cell.MayRead, "log": cell.MayRead, "console": cell.MayConsole,
	"screenshot": cell.MayScreen, "input": cell.MayScreen,
	"stop": cell.MayPower, "kill": cell.MayPower, "suspend": cell.MayPower, "resume": cell.MayPower,
}

func TestWhatOthersMay(t *testing.T) {
	got := map[string]string{}
	for do, row := range forOthers {
		got[do] = row.right
		if row.any {
			got[do] = "any"
		}
	}
	if d := cmp.Diff(takes, got); d != "" {
		t.Error(d)
	}
	text, err := os.ReadFile("command.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`commandKind = "([a-z-]+)"`).FindAllStringSubmatch(string(text), -1)
	if len(kinds) < 15 {
		t.Fatal("few commands are found:", len(kinds))
	}
	all := []string{doStacks, doProfile, "", "dance"}
	for _, k := range kinds {
		all = append(all, k[1])
	}
	can := visitor{"2005", cell.AllRights()}
	for _, do := range all {
		if err := can.refuses(do, "t"); (err == nil) != (takes[do] != "") {
			t.Errorf("%q of somebody who may all: %v", do, err)
		}
	}
	for do, right := range takes {
		for _, has := range cell.AllRights() {
			err := visitor{"2001", []string{has}}.refuses(do, "t")
			if (err == nil) != (right == "any" || right == has) {
				t.Errorf("%q, which takes %s, of somebody who has %s: %v", do, right, has, err)
			}
		}
		if err := (visitor{name: "2999"}).refuses(do, "t"); err == nil || !strings.Contains(err.Error(), "cannot reach t: the user 2999 has no access to it") {
			t.Errorf("%q of a stranger: %v", do, err)
		}
	}
}

const shared = `cell "t" {
  screen {}
  access {
    users = ["2001"]
    may = ["console"]
  }
  access {
    users = ["2002"]
    may = ["screen"]
  }
  access {
    users = ["2003"]
    may = ["power"]
  }
  access {
    groups = ["2004"]
    may = ["read"]
  }
  access {
    users = ["2005"]
    may = ["console", "screen", "power", "read"]
  }
}
`

// owners are who has one right, by that.
var owners = map[string]unixsock.Cred{
	cell.MayConsole: {UID: 2001}, cell.MayScreen: {UID: 2002}, cell.MayPower: {UID: 2003},
	cell.MayRead: {UID: 2900, Groups: []int{7, 2004}}, "all": {UID: 2005}, "none": {UID: 2999, Groups: []int{2001, 2005}},
}

// others is a world in which a cell runs that others have access to; as says who connects.
func others(t *testing.T) (w *world, k *Keeper, over chan struct{}, as func(string) *Client) {
	t.Helper()
	w = inWorld(t)
	t.Cleanup(w.hangUp)
	var who atomic.Value
	thisHost.listenToAll = listenToAll
	thisHost.peer = func(net.Conn) (unixsock.Cred, bool) { c, ok := who.Load().(unixsock.Cred); return c, ok }
	running := make(chan struct{})
	k = w.keeper(shared, func(c *Config) { c.Running = func() { close(running) } })
	over = make(chan struct{})
	go func() {
		defer close(over)
		_, _, err := run(t.Context(), k.Run)
		if err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-running:
	case <-time.After(time.Minute):
		t.Fatal("it does not start")
	}
	l, err := unixsock.Listen(filepath.Join(w.store.RunDir("t"), layout.Socket(layout.Console)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }() // a guest that echoes
		}
	}()
	if err := os.WriteFile(filepath.Join(w.store.StateDir("t"), layout.ConsoleLog), []byte("it spoke\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return w, k, over, func(right string) *Client {
		who.Store(owners[right])
		c, err := DialOthers(w.dirs, "t")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

// asks makes a request as the clients of skep do.
func asks(c *Client, do string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var f *os.File
	var err error
	switch do {
	case doState, doShow:
		var s Seen
		if s, err = c.State(ctx, do == doShow); err == nil && s.State.Name != "t" {
			err = errors.New("the state of " + s.State.Name)
		}
	case doLog:
		f, err = c.Log(ctx, "")
	case doConsole:
		f, err = c.Console(ctx)
	case string(commandInput):
		steps, _ := input.Chord("a")
		err = c.Input(ctx, "x", steps)
	default:
		_, err = c.Ask(ctx, do, "x")
	}
	if f != nil {
		f.Close()
	}
	return err
}

// Each request is made by somebody who has all but the right that it takes, and by somebody who has nothing else.
func TestOthers(t *testing.T) {
	rows := []string{doState, doShow, doLog, doConsole, "screenshot", "input", "suspend", "resume", "stop"}
	for do := range takes {
		if !slices.Contains(append(rows, "kill"), do) {
			t.Error("not tested:", do)
		}
	}
	w, _, over, as := others(t)
	for _, do := range rows {
		for right := range owners {
			if right == takes[do] || right == "all" || takes[do] == "any" && right != "none" {
				continue
			}
			if err := asks(as(right), do); err == nil || fault.CodeOf(err) != fault.Host {
				t.Errorf("%s by somebody who has %s: %v", do, right, err)
			}
		}
		right := takes[do]
		if right == "any" {
			right = cell.MayConsole
		}
		if err := asks(as(right), do); err != nil {
			t.Errorf("%s by somebody who has %s: %v", do, right, err)
		}
	}
	<-over
	w.nothingLeft("t")
	if _, err := os.Stat(w.dirs.AccessDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error("the directory of the socket is left:", err)
	}
	if st, _, _ := w.store.ReadState("t"); !strings.Contains(st.Reason, "2003") {
		t.Errorf("who stopped it is not said: %q", st.Reason)
	}
}

func TestOthersKill(t *testing.T) {
	_, _, over, as := others(t)
	for _, do := range []string{"snapshot-save", "dump", "stacks", "profile", "medium", "pause", "dance"} {
		if err := asks(as("all"), do); err == nil || !strings.Contains(err.Error(), "it is root's alone") {
			t.Errorf("%s: %v", do, err)
		}
	}
	if err := asks(as("all"), "kill"); err != nil {
		t.Error(err)
	}
	<-over
}

// A console that was handed over ends with the connection that it was asked for on, and is nobody else's until then.
func TestOthersConsole(t *testing.T) {
	_, k, over, as := others(t)
	c := as("all")
	f, err := c.Console(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 5)
	if _, err := f.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(f, b); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	second, err := as(cell.MayConsole).Console(t.Context())
	if runtime.GOOS == "freebsd" { // where several may join
		if err != nil {
			t.Error(err)
		} else {
			second.Close()
		}
	} else if err == nil || !strings.Contains(err.Error(), "somebody else is there") {
		t.Error("two have one console:", err)
	}
	c.Close()
	if n, err := f.Read(b); n != 0 || err == nil {
		t.Errorf("the console goes on without its connection: %d bytes", n)
	}
	log, err := as(cell.MayRead).Log(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if text, err := io.ReadAll(log); err != nil || string(text) != "it spoke\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := log.Write([]byte("x")); err == nil {
		t.Error("the log can be written to")
	}
	if _, err := as("all").Log(t.Context(), "../../etc/passwd"); err == nil {
		t.Error("a log of any name can be read")
	}
	k.Kill("the test")
	<-over
}

// One user cannot have all connections.
func TestOthersAreMany(t *testing.T) {
	_, k, over, as := others(t)
	for range visitsEach {
		as("none")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		err := asks(as("none"), doState)
		if fault.CodeOf(err) == fault.Busy {
			break
		}
		as("none") // one of those before may have come later than the question
		if time.Now().After(end) {
			t.Fatal("any number of connections is held:", err)
		}
	}
	if err := asks(as("all"), doState); err != nil {
		t.Error("another user is kept out:", err)
	}
	k.Kill("the test")
	<-over
}

// Many users whom no rule names keep nobody out whom one does.
func TestStrangersAreMany(t *testing.T) {
	inWorld(t)
	rules, wrong := access.Resolve([]cell.Access{{Users: []string{"2005"}, May: []string{cell.MayRead}}})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	var who unixsock.Cred
	thisHost.peer = func(net.Conn) (unixsock.Cred, bool) { return who, true }
	g := &gate{rules: rules, open: map[int]int{}}
	var leave func()
	for who.UID = 3000; ; who.UID++ {
		v, l, err := g.enter(nil)
		if err != nil {
			if fault.CodeOf(err) != fault.Busy {
				t.Error(err)
			}
			break
		}
		if leave = l; len(v.may) > 0 || who.UID == 3000+visitsAll {
			t.Fatalf("%d strangers are let in; the last may %v", who.UID-3000, v.may)
		}
	}
	stranger := who
	who = unixsock.Cred{UID: 2005}
	if v, _, err := g.enter(nil); err != nil || !slices.Equal(v.may, []string{cell.MayRead}) {
		t.Errorf("%v, %v", v.may, err)
	}
	leave()
	who = stranger
	if _, _, err := g.enter(nil); err != nil {
		t.Error("a place that is free again is not given:", err)
	}
}

// A directory that somebody else could have made is not used.
func TestOthersDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(dir, 0o777), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	if l, err := listenToAll(filepath.Join(dir, "t.sock")); err == nil {
		l.Close()
		t.Error("a socket is made where everybody may change it")
	}
	dir = filepath.Join(t.TempDir(), "new")
	l, err := listenToAll(filepath.Join(dir, "t.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for path, want := range map[string]os.FileMode{dir: 0o755, filepath.Join(dir, "t.sock"): 0o666} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// Keepers that come and go have one directory, which the last of them removes.
func TestOthersDirectoryIsShared(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shared")
	var wait sync.WaitGroup
	for i := range 4 {
		path := filepath.Join(dir, strconv.Itoa(i)+".sock")
		wait.Go(func() {
			for range 300 {
				l, err := listenToAll(path)
				if err != nil {
					t.Error(err)
					return
				}
				l.Close()
				_, _ = os.Remove(path), os.Remove(dir)
			}
		})
	}
	wait.Wait()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory stays: %v", err)
	}
}

// A name that the host does not know is a mistake of the cell file's, with its line.
func TestOthersUnknown(t *testing.T) {
	w := inWorld(t)
	defer w.hangUp()
	thisHost.listenToAll = listenToAll
	k := w.keeper("cell \"t\" {\n access {\n  users = [\"no-such-user\"]\n  may = [\"read\"]\n }\n}", nil)
	_, err := k.Run(t.Context())
	if fault.CodeOf(err) != fault.Input || !strings.Contains(err.Error(), "cannot give the user no-such-user access") {
		t.Errorf("%v", err)
	}
	if at := new(fault.At); !errors.As(err, &at) || !strings.HasPrefix(at.Place, "t.hcl:3:11") {
		t.Errorf("without its place: %v", err)
	}
	w.nothingLeft("t")
}

// A client that says nothing costs a connection for a while and nothing else.
func TestOthersSilent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := unixsock.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now())
	if _, _, err := receive(conn); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
