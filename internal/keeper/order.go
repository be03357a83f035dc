package keeper

import "skep/internal/fault"

// orderKind is what a keeper can be told while it keeps.
type orderKind string

const (
	orderStop       orderKind = "stop"       // power button, then force
	orderKill       orderKind = "kill"       // at once
	orderScreenshot orderKind = "screenshot" // a PNG of the screen
	orderStatus     orderKind = "status"
)

// order is one thing that the keeper is told, by its terminal or over the
// control socket.
type order struct {
	do orderKind
	// who is for the reason: "skep down", "SIGTERM".
	who   string
	reply chan answer // nil where nobody waits
}

type answer struct {
	err  error
	data []byte
}

func (o order) answer(err error) { o.send(answer{err: err}) }

func (o order) send(a answer) {
	if o.reply != nil {
		o.reply <- a // has room for one
	}
}

// Stop asks the guest to power off, and forces it after its stop_timeout. It
// returns at once.
func (k *Keeper) Stop(who string) { k.tell(order{do: orderStop, who: who}) }

// Kill ends the hypervisor at once.
func (k *Keeper) Kill(who string) { k.tell(order{do: orderKill, who: who}) }

func (k *Keeper) tell(o order) {
	select {
	case k.orders <- o:
	case <-k.finished:
		o.answer(fault.New(fault.Host, "", "tell the keeper of %s: it has finished", k.Cell.Name))
	}
}
