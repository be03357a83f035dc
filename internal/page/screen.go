package page

import (
	"context"
	"io"
	"net/http"

	"github.com/coder/websocket"

	"skep/internal/screen"
)

// maxInput is what a viewer says in one message.
const maxInput = 1 << 20

// screen carries a viewer's bytes both ways and reads none of them. Whoever may only look has pictures.
func (s *server) screen(w http.ResponseWriter, r *http.Request, v visitor) {
	ask := v.ask(Screen)
	ask.Cell = r.PathValue("cell")
	got, err := s.ask(r.Context(), ask)
	if err == nil && len(got.files) != 1 {
		err = errGone
	}
	if err != nil {
		refuse(w, err)
		return
	}
	guest := &conn{file: got.files[0]}
	defer guest.Close()
	ws, err := websocket.Accept(w, r, acceptOptions)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(maxInput)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	err = screen.Proxy(ctx, guest, websocket.NetConn(ctx, ws, websocket.MessageBinary))
	if err == nil || err == io.EOF {
		_ = ws.Close(websocket.StatusNormalClosure, "ended")
	}
}
