// Package worker is the half of a keeper that has no rights: a process in a jail of its own that speaks with
// the hypervisor, and the protocol over which its keeper has it do so. What a hypervisor says is read and
// judged here; the keeper hears of it in messages of one size, with numbers and short texts in fixed places.
//
//	keeper                                worker
//	   |  --- Request (act, id, files) --->  |   one of the table of acts
//	   |  <-- Answer (act, id, fault) -----  |   exactly one
//	   |  <-- Event -----------------------  |   what the hypervisor did, unasked
//
// The keeper treats its worker as taken over: a message of another size, an answer to what nobody asked,
// a second one, a text with what a terminal would obey, more events than a guest can cause, or no answer at
// all ends the worker, and another is started. Descriptors go one way only: to the worker.
//
// One more command of QMP's is one method of package qmp, one row of the table in acts.go, and one method in
// client.go.
package worker
