package keeper

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"skep/internal/access"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/provision"
	"skep/internal/unixsock"
)

// What others than the keeper's user may ask for is a table: on their socket a request without a row is refused,
// and one with a row takes the right that stands there. Who asks is the kernel's word on the connection.

// guarded is one request that others may make.
type guarded struct {
	right string // of package cell; or
	any   bool   // whoever has any right may
	// does names it in a refusal: "cannot … NAME".
	does string
	// answer answers it beside the state machine; nil hands it on as a command.
	answer func(visit)
}

// Requests that only others make: a keeper's own user opens files.
const (
	doShow    = "show"    // the state with its large part
	doLog     = "log"     // a descriptor of a log
	doConsole = "console" // a descriptor of the console, as long as the connection lasts
	doState   = "state"   // the short state
)

// forOthers is that table.
var forOthers = map[string]guarded{
	doState:                   {any: true, does: "look at", answer: visit.state},
	doShow:                    {right: cell.MayRead, does: "show", answer: visit.show},
	doLog:                     {right: cell.MayRead, does: "read the log of", answer: visit.log},
	doConsole:                 {right: cell.MayConsole, does: "join the console of", answer: visit.console},
	string(commandScreenshot): {right: cell.MayScreen, does: "take a screenshot of"},
	string(commandInput):      {right: cell.MayScreen, does: "use the keyboard of"},
	string(commandStop):       {right: cell.MayPower, does: "stop"},
	string(commandKill):       {right: cell.MayPower, does: "kill"},
	string(commandSuspend):    {right: cell.MayPower, does: "pause"},
	string(commandResume):     {right: cell.MayPower, does: "resume"},
}

// Bounds of what others may hold open.
const (
	visitsEach = 16
	visitsAll  = 256
	// Of these those have that no rule names: many such users together keep nobody out whom one does.
	visitsStrangers = 32
	visitWait       = 5 * time.Second // until the request
)

// gate is what a server for others decides by.
type gate struct {
	rules access.Rules
	mu    sync.Mutex
	open  map[int]int // connections by user
	all   int
	// strangers are those of users that may do nothing.
	strangers int
}

// visitor is who is at the other end of a connection.
type visitor struct {
	name string
	may  []string
}

// enter knows who connects, or says why nobody may.
func (g *gate) enter(conn net.Conn) (v visitor, leave func(), err error) {
	who, ok := thisHost.peer(conn)
	if !ok {
		return v, nil, fault.New(fault.Host, "", "tell who you are: the kernel does not say")
	}
	busy := fault.New(fault.Busy, "", "answer you: too many connections")
	if g.full(who.UID, 0) {
		return v, nil, busy // before any file is read for them
	}
	v = visitor{access.Name(who.UID), g.rules.May(access.Who(who))}
	stranger := 0
	if len(v.may) == 0 {
		stranger = 1
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fullNow(who.UID, stranger) {
		return visitor{}, nil, busy
	}
	g.open[who.UID]++
	g.all++
	g.strangers += stranger
	return v, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.all--
		g.strangers -= stranger
		if g.open[who.UID]--; g.open[who.UID] == 0 {
			delete(g.open, who.UID)
		}
	}, nil
}

// full says whether a user has no connection left to come by, as one of so many strangers.
func (g *gate) full(uid, strangers int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fullNow(uid, strangers)
}

// fullNow is full for who holds the lock.
func (g *gate) fullNow(uid, strangers int) bool {
	return g.open[uid] >= visitsEach || g.all >= visitsAll || g.strangers+strangers > visitsStrangers
}

// refuses says why somebody may not ask for that, nil where they may.
func (v visitor) refuses(do, name string) error {
	const hint = "an access block in its cell file gives it; root can do all"
	row, there := forOthers[do]
	switch {
	case len(v.may) == 0:
		return fault.New(fault.Host, hint, "reach %s: the user %s has no access to it", name, v.name)
	case there && (row.any || slices.Contains(v.may, row.right)):
		return nil
	case there:
		return fault.New(fault.Host, hint, "%s %s: the user %s has access to %s only", row.does, name, v.name, strings.Join(v.may, ", "))
	}
	return fault.New(fault.Host, "", "do %.40q with %s: it is root's alone", do, name)
}

// listenToOthers has the keeper listen for those whom the cell file gives access, in this life and in all that follow.
func (k *Keeper) listenToOthers(s *plan.Access) error {
	if k.others != nil {
		return nil
	}
	rules, err := provision.AccessRules(k.Cell, s)
	if err != nil {
		return err
	}
	l, err := thisHost.listenToAll(s.Path)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "listen on %s", s.Path)
	}
	k.others = serve(k, l, &gate{rules: rules, open: map[int]int{}})
	k.othersAt = s
	return nil
}

// forgetOthers ends that, with the keeper.
func (k *Keeper) forgetOthers() {
	if k.others == nil {
		return
	}
	k.others.close()
	if err := os.Remove(k.othersAt.Path); err == nil {
		_ = os.Remove(filepath.Dir(k.othersAt.Path)) // others may have sockets there
	}
}

// listenToAll binds a UNIX socket that every user may connect to. What is in its directory only root can change.
func listenToAll(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	const tries = 16
	for try := 0; ; try++ {
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			err = os.Chmod(dir, 0o755) // whatever the umask
		} else if errors.Is(err, fs.ErrExist) {
			err = probe.Trusted(dir)
		}
		var l *net.UnixListener
		if err == nil {
			l, err = unixsock.Listen(path)
		}
		if errors.Is(err, fs.ErrNotExist) && try < tries {
			continue // the keeper of another cell has removed the directory meanwhile
		}
		if err != nil {
			return nil, err
		}
		if err := os.Chmod(path, 0o666); err != nil {
			l.Close()
			os.Remove(path)
			return nil, err
		}
		return l, nil
	}
}

// peerOf is who is at the other end of a connection.
func peerOf(conn net.Conn) (unixsock.Cred, bool) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return unixsock.Cred{}, false
	}
	return unixsock.PeerCred(u)
}

// visit is a request that is answered beside the state machine.
type visit struct {
	s    *server
	conn net.Conn
	who  visitor
	req  request
}

func (v visit) say(r response, file *os.File) error {
	_ = v.conn.SetWriteDeadline(time.Now().Add(controlWait))
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return unixsock.Send(v.conn, append(b, '\n'), file)
}

func (v visit) refuse(err error) { _ = v.say(response{Wire: fault.ToWire(err)}, nil) }

// Visible is what others are told of a cell.
type Visible struct {
	May   []string        `json:"may"`
	State json.RawMessage `json:"state"` // store.State
}

func (v visit) state() {
	k := v.s.keeper
	st, _, err := k.Store.ReadState(k.Cell.Name)
	if err != nil {
		v.refuse(fault.Wrap(fault.Host, err, "", "look at %s", k.Cell.Name))
		return
	}
	if !slices.Contains(v.who.may, cell.MayRead) {
		st.LastConsole, st.LastWords = nil, nil // the logs'
	}
	v.tell(st)
}

func (v visit) show() {
	k := v.s.keeper
	st, _, err := k.Store.ReadDetail(k.Cell.Name)
	if err != nil {
		v.refuse(fault.Wrap(fault.Host, err, "", "show %s", k.Cell.Name))
		return
	}
	v.tell(st)
}

func (v visit) tell(state any) {
	b, err := json.Marshal(state)
	if err == nil {
		b, err = json.Marshal(Visible{v.who.may, b})
	}
	if err != nil {
		v.refuse(fault.Wrap(fault.Host, err, "", "show %s", v.s.keeper.Cell.Name))
		return
	}
	_ = v.say(response{OK: true, Data: b}, nil)
}

// logs are those that can be asked for, by name; starts says where the starts in the console's are.
var logs = map[string]string{"": layout.ConsoleLog, "starts": layout.Starts(layout.ConsoleLog), "hypervisor": layout.HypervisorLog}

// log hands over a descriptor for reading. The connection ends with the keeper: whoever follows the log learns of it.
func (v visit) log() {
	k := v.s.keeper
	file, ok := logs[v.req.Name]
	if !ok {
		v.refuse(fault.New(fault.Input, "", "read the log %.40q: there is no such one", v.req.Name))
		return
	}
	f, err := os.Open(filepath.Join(k.Store.StateDir(k.Cell.Name), file))
	if err != nil {
		v.refuse(fault.Cannot(fault.Host, "", "read the log of", k.Cell.Name, "there is none"))
		return
	}
	defer f.Close()
	if v.say(response{OK: true}, f) == nil {
		v.untilGone()
	}
}

// console hands over a connection to the console, which is nobody else's until the client hangs up. What goes
// through it is not read here. It ends with the client's connection, however long the descriptor is kept.
func (v visit) console() {
	k := v.s.keeper
	lock, err := k.Store.LockConsole(k.Cell.Name)
	if err != nil {
		v.refuse(err)
		return
	}
	defer lock.Unlock()
	conn, err := unixsock.Dial(filepath.Join(k.Store.RunDir(k.Cell.Name), layout.Socket(layout.Console)))
	if err != nil {
		v.refuse(fault.Cannot(fault.Host, "", "join the console of", k.Cell.Name, "its hypervisor does not run"))
		return
	}
	defer conn.Close()
	defer func() { _, _ = conn.CloseRead(), conn.CloseWrite() }() // shutdown(2) holds for every copy
	f, err := conn.File()
	if err != nil {
		v.refuse(fault.Wrap(fault.Host, err, "", "join the console of %s", k.Cell.Name))
		return
	}
	defer f.Close()
	k.Log.Info("console", "user", v.who.name)
	if v.say(response{OK: true}, f) == nil {
		v.untilGone()
	}
}

// untilGone waits until the client hangs up, or the keeper ends.
func (v visit) untilGone() {
	_ = v.conn.SetReadDeadline(time.Time{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = v.conn.Read(make([]byte, 1))
	}()
	select {
	case <-gone:
	case <-v.s.keeper.finished:
	}
}
