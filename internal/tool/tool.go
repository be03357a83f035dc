// Package tool runs a short-lived program in a jail of its own: qemu-img, or skep itself as a reader of
// what a guest has written. What such a program reads is hostile, so it gets nothing else: the files it
// works on as open descriptors, and bounds on memory, processor, time and output.
//
//	out, err := tool.Run(ctx, facts, tool.Job{
//		Tool:  tool.Reader("qcow2"),
//		Files: []tool.File{{Name: "image", File: f}},
//	})
//
// On Linux the jail is that of a hypervisor (package jail): namespaces, a user of its own where the caller
// is root, an empty rootfs, no capability, Landlock and a list of system calls, which is on before the
// first hostile byte is read. It has no control group: limits of the process do. On FreeBSD it is a jail(8)
// without a network or anything else in it, and a reader is in capability mode as well; without root it is
// capability mode alone. What a host lacks refuses the job as it refuses a cell.
//
// A tool ends with its caller. Nothing is left of it.
package tool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/jail"
)

// A Tool is what is run: make one by Reader or by Program.
type Tool struct {
	reader string // a name of the table of readers
	path   string // or a program of the host's
}

// Reader is this program, as the reader of that name in the table that Serve was given.
func Reader(name string) Tool { return Tool{reader: name} }

// Program is a program of the host's that works on files by their names: qemu-img. It finds each File
// under InJail(name) and can open no other.
func Program(path string) Tool { return Tool{path: path} }

func (t Tool) String() string {
	if t.reader != "" {
		return "the reader of " + t.reader
	}
	return path.Base(t.path)
}

// A File is handed in, open as it is: one that is open for reading cannot be written by the tool.
type File struct {
	Name string // letters, digits, - and _
	File *os.File
	// Rights are all that it is good for on FreeBSD, rights(4), "" for what it is; of ioctl among them, Ioctls are left.
	Rights string
	Ioctls []uint64
}

// A Prison is a jail(8) that is there already and stays when the tool has ended.
type Prison struct {
	JID, UID, GID int
	Limits        []jail.Limit
}

// Limits bound a tool. A zero is the default.
type Limits struct {
	Memory   int64         // bytes of its own data; 256 MiB
	CPU      time.Duration // processor time; a minute, or what Wall is
	Wall     time.Duration // until it is killed; 2 minutes
	Output   int64         // bytes that it may say; 16 MiB
	FileSize int64         // how large a file that it writes may become; what it is
}

func (l Limits) filled(files []File) Limits {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Memory, 256<<20)
	def((*int64)(&l.Wall), int64(2*time.Minute))
	def((*int64)(&l.CPU), int64(max(time.Minute, l.Wall)))
	def(&l.Output, 16<<20)
	if l.FileSize == 0 {
		for _, f := range files {
			if info, err := f.File.Stat(); err == nil && info.Mode().IsRegular() {
				l.FileSize = max(l.FileSize, info.Size())
			}
		}
	}
	return l
}

// A Job is one run of a tool.
type Job struct {
	Tool  Tool
	Args  []string
	Files []File
	// Limits are its bounds.
	Limits Limits
	// Out takes what it says on its standard output as it comes, up to Limits.Output bytes. Where it is
	// nil, that is in Output.Bytes.
	Out io.Writer
	// Progress is told how much is done, from 0 to 1: by a reader, and by qemu-img with -p.
	Progress func(float64)
	// Connections are how many sockets a reader may be handed while it runs, over one of its files.
	Connections int
	// Receives: its first file is a socket, of which it receives and on which it sends nothing.
	Receives bool
	// Prison is the jail of a service on FreeBSD; nil is one that is made and goes with it.
	Prison *Prison
	// AllowMissing are layers of the jail that may be missing, as in a cell file.
	AllowMissing []string

	without string // a call whose rows are left out of its policy, to see whether it needs them

	// Of a Service.
	service  bool
	started  func(pid int, start uint64)
	complete func(uid, gid int, r *jail.Record)
	begun    func()
}

// Output is what a tool said.
type Output struct {
	Bytes []byte
	// Exit is the status of a program; a reader that fails says why.
	Exit int
	// Words are the end of what it said on its standard error, printable and bounded.
	Words string
	// UID is the user that it was.
	UID int
	// Refused are the system calls that it asked for and did not get.
	Refused map[string]uint64
}

// Errors of a job, by which a caller tells them apart.
var (
	// ErrFailed: the tool itself gave up, and its reason is in the error.
	ErrFailed = errors.New("the tool failed")
	// ErrBound: it was stopped by one of its Limits.
	ErrBound = errors.New("the tool was stopped")
)

// InJail is the name of a File as a program opens it.
func InJail(name string) string { return inJail(name) }

// ReaderProgram is the program that has the readers, where it is not this one.
var ReaderProgram string

// Run runs a tool to its end. What it says is as hostile as what it has read.
func Run(ctx context.Context, f host.Facts, j Job) (Output, error) {
	if err := j.check(); err != nil {
		return Output{}, err
	}
	j.Limits = j.Limits.filled(j.Files)
	ctx, cancel := context.WithTimeoutCause(ctx, j.Limits.Wall, fmt.Errorf("%w: it took longer than %s", ErrBound, j.Limits.Wall))
	defer cancel()
	out, err := run(ctx, f, j)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out, err
}

func (j Job) check() error {
	if (j.Tool.reader == "") == (j.Tool.path == "") {
		return errors.New("a job needs a reader or a program")
	}
	for i, f := range j.Files {
		if f.File == nil || !plain(f.Name) {
			return fmt.Errorf("file %d of %s is not open, or has no plain name: %q", i, j.Tool, f.Name)
		}
	}
	return nil
}

// descriptors are how many it may have open.
func (j Job) descriptors() int { return firstFile + len(j.Files) + 28 + j.Connections }

func plain(name string) bool {
	for _, c := range name {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// jailed is the fault of a host that cannot build the jail.
func jailed(err error, hint string, t Tool) error {
	return fault.Wrap(fault.Jail, err, hint, "build the jail of %s", t)
}
