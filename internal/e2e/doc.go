// Package e2e tests skep as people use it: the built program, real
// hypervisors, real guests, and the host seen from outside.
//
// Scripts in testdata/*.txtar hold one promise each; what needs a clock, a
// terminal or a look into /proc is written in Go. Each test works in
// directories and a range of uids of its own, so that tests run at once, next
// to whatever else runs on the host. What a host lacks makes a test skip with
// the reason.
package e2e
