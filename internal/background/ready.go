package background

import (
	"bytes"
	"encoding/json"
	"net"
	"path/filepath"
	"time"

	"skep/internal/audit"
	"skep/internal/cell"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// PoolWho is who has the cells of a pool stand still.
const PoolWho = "skep pool "

// answerOnce bounds the wait for a guest's first answer: one that says nothing stands still all the same.
const answerOnce = 10 * time.Second

// standReady has a guest answer once and stand still. The code that it runs is translated from then on.
func standReady(k *keeper.Keeper, runDir string, p cell.Pool) error {
	conn, err := unixsock.Dial(filepath.Join(runDir, layout.Socket(layout.Console)))
	if err == nil {
		answered(conn, p)
		conn.Close()
	}
	return k.Suspend(PoolWho + p.Label)
}

// answered types what the pool asks, and waits for the answer.
func answered(conn net.Conn, p cell.Pool) {
	_ = conn.SetDeadline(time.Now().Add(answerOnce))
	if _, err := conn.Write([]byte(p.Ask + "\n")); err != nil {
		return
	}
	var last []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		last = append(last, buf[:n]...)
		switch {
		case err != nil:
			return
		case p.Answer == "":
			// The terminal's own echo is no answer, what follows it is.
			if len(bytes.TrimSpace(bytes.Replace(last, []byte(p.Ask), nil, 1))) > 0 {
				return
			}
		case bytes.Contains(bytes.Replace(last, []byte(p.Ask), nil, 1), []byte(p.Answer)):
			return
		}
		last = last[max(0, len(last)-1024):]
	}
}

// Audited is an audit as its report.
func Audited(st store.State) (report []byte, ok bool, err error) {
	r, err := audit.Cell(st)
	if err != nil {
		return nil, false, err
	}
	report, err = json.MarshalIndent(r, "", " ")
	return append(report, '\n'), r.OK, err
}
