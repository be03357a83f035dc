package page

import (
	"encoding/json"
	"net/http"
)

// Version is that of the JSON of the API.
const Version = 1

// Told is one message from who serves the page.
type Told struct {
	Conn  *Conn  `json:"conn,omitempty"` // somebody has connected; the descriptor comes with it
	Reply *Reply `json:"reply,omitempty"`
}

// A Conn is a connection that was accepted outside.
type Conn struct {
	ID  uint64 `json:"id"`
	Way Way    `json:"way"`
	// At is the address that was connected to, as a browser would name it; of TCP.
	At string `json:"at,omitempty"`
}

// A Way is how somebody has come.
type Way string

// The ways in.
const (
	Local Way = "socket" // a UNIX socket: the kernel says who it is
	Plain Way = "tcp"    // this host's own address: a link says who it is
	TLS   Way = "tls"    // a certificate says who it is
)

// An Ask is one request of the page's. Who may ask what is decided by who answers.
type Ask struct {
	ID      uint64 `json:"id"`
	Conn    uint64 `json:"conn"`
	Session string `json:"session,omitempty"` // the value of the cookie, or of a bearer's token
	Do      Do     `json:"do"`
	Cell    string `json:"cell,omitempty"`
	Text    string `json:"text,omitempty"` // a tag, a verb, a file, a token: whatever Do takes
	Number  uint64 `json:"number,omitempty"`
	Look    bool   `json:"look,omitempty"`
}

// A Do is what can be asked for.
type Do string

// What the page asks for.
const (
	Me        Do = "me"
	Login     Do = "login"       // Text is a link's token; the answer has a session
	Person    Do = "certificate" // Text is the name in a certificate that was verified on the connection
	Link      Do = "link"        // a new link; Look for one that may only look, Text for a user of this host
	Cells     Do = "cells"
	Show      Do = "show"
	Act       Do = "act" // Text is one of Verbs
	Snapshots Do = "snapshots"
	Snapshot  Do = "snapshot" // Text is a tag, "" for one of the time
	Revert    Do = "revert"
	Forget    Do = "forget"
	Audit     Do = "audit"
	Plan      Do = "plan"
	Explain   Do = "explain"
	Images    Do = "images"
	Events    Do = "events"
	File      Do = "file"
	Save      Do = "save" // Text is the file
	Log       Do = "log"  // the answer has the file
	Console   Do = "console"
	Screen    Do = "screen"
	Picture   Do = "picture"
	Release   Do = "release" // Number is a lease
	Metrics   Do = "metrics"
	Closed    Do = "closed" // the connection has ended
	Ready     Do = "ready"  // connections can come
)

// Verbs are what can be done to a cell, and to which verb of the command line each comes.
var Verbs = map[string][]string{
	"start": {"up"}, "stop": {"down"}, "kill": {"kill"}, "restart": {"restart"}, "pause": {"pause"}, "resume": {"resume"},
}

// A Reply answers an Ask.
type Reply struct {
	ID     uint64          `json:"id"`
	Status int             `json:"status"`          // of HTTP
	Body   json.RawMessage `json:"body,omitempty"`  // JSON, where Status is 2xx
	Fault  *Fault          `json:"fault,omitempty"` // else
	Data   []byte          `json:"data,omitempty"`  // what is not JSON
	Lease  uint64          `json:"lease,omitempty"` // is to be given back
}

// A Fault is an error as programs see it.
type Fault struct {
	Status  int    `json:"-"`
	Code    string `json:"code"` // "input", "busy", …: the names of the exit statuses; "unauthorized", "forbidden"
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (f *Fault) Error() string { return f.Message }

// Faults of the page's own.
var (
	errForbidden = &Fault{http.StatusForbidden, "forbidden", "this request comes from another page", ""}
	errHost      = &Fault{http.StatusForbidden, "forbidden", "this is not the name of this page", "use the address that skep serve has printed"}
	errNotThere  = &Fault{http.StatusNotFound, "not-found", "there is no such thing", "docs/api.md lists what there is"}
	errGone      = &Fault{http.StatusServiceUnavailable, "host", "the page lost its server", "look again in a moment"}
	errLarge     = &Fault{http.StatusRequestEntityTooLarge, "input", "that is too large", ""}
	errInput     = &Fault{http.StatusBadRequest, "input", "the request cannot be read", "docs/api.md says what it takes"}
)

// Setup is what the page is told when it starts.
type Setup struct {
	Host    string `json:"host"`    // name of this host, for people
	Version string `json:"version"` // of skep
	OS      string `json:"os"`
	Cert    []byte `json:"cert,omitempty"` // PEM, for TLS
	Key     []byte `json:"key,omitempty"`
	Clients []byte `json:"clients,omitempty"` // certificates that sign those of people
}
