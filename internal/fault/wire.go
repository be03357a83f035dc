package fault

import "errors"

// Wire is an error on its way to another process, as JSON: between a keeper and the commands that
// speak with it. Text is all that a person is shown; a reader that knows no more needs no more.
type Wire struct {
	Text    string `json:"error,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Code    Code   `json:"code,omitempty"`
	Op      string `json:"op,omitempty"`
	Subject string `json:"subject,omitempty"`
	Reason  string `json:"reason_text,omitempty"` // "reason" is the end of a cell in the same answer
	// More are the errors after the first.
	More []Wire `json:"more,omitempty"`
}

// ToWire is the wire form of an error, the zero Wire for none.
func ToWire(err error) Wire {
	if err == nil {
		return Wire{}
	}
	w := one(err, First(err))
	for i, next := range ListOf(err) {
		if i > 0 {
			w.More = append(w.More, one(next, next.Error()))
		}
	}
	return w
}

func one(err error, text string) Wire {
	w := Wire{Text: text, Hint: HintOf(err), Code: CodeOf(err)}
	if e := new(Error); errors.As(err, &e) {
		w.Op, w.Subject, w.Reason = e.Op, e.Subject, ReasonOf(err)
	}
	return w
}

// Err is the error that came over the wire, nil for the zero Wire.
func (w Wire) Err() error {
	if w.Text == "" {
		return nil
	}
	errs := []error{&Error{Code: w.Code, Hint: w.Hint, Op: w.Op, Subject: w.Subject, Reason: w.Reason, said: w.Text}}
	for _, m := range w.More {
		errs = append(errs, m.Err())
	}
	return Join(errs...)
}
