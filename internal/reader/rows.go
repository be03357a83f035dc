package reader

// A Row is one reader of bytes that a guest, a hypervisor that was taken over, or a maker of images elsewhere
// has chosen. Rows is the table in docs/security.md; a test compares it with the code: each function of the
// packages that handle such bytes is in one row, or in NoReaders.
type Row struct {
	Name   string
	Reads  string
	Who    string // who runs it
	Rights string // with what rights
	Why    string // why not in a jail, where it is not
	// Calls are the functions, as "package.Function" or "package.(Type).Method", and From the packages
	// that may call those of them that are exported.
	Calls []string
	From  []string
}

// How a reader is run.
const (
	jailed = "none: a jail of its own, in which it has just what it reads and, of a copy, what it writes"
	worker = "none: the worker's own jail, in which it has what it was handed"
	own    = "those of whoever started the keeper"
	caller = "those of whoever runs the command"
)

// Rows is every reader.
var Rows = []Row{
	{Name: Log, Reads: "the console's and the hypervisor's log, with the guest's escapes, for `skep log`",
		Who: "`skep log`", Rights: jailed + ", and the pipe to the terminal, through which no control character passes",
		Calls: []string{"console.(Selection).From", "console.(Selection).start", "console.startsIn", "console.startIn", "console.tailLines",
			"console.Print", "console.placeAgain", "console.endsAt", "console.grown", "console.(Plain).Write", "console.(Plain).show", "console.unfinished"},
		From: []string{"inside", "console", "cli", "page"}},
	{Name: Cut, Reads: "the tables of a qcow2 image, at most 64 MiB of them, when a cell is given it for the first time",
		Who: "the keeper before a start, `skep check --host` and `skep plan`", Rights: jailed,
		Calls: []string{"disk.Cut", "disk.cutOf", "disk.cutIn", "disk.readTable"}, From: []string{"inside"}},
	{Name: Copy, Reads: "a disk that is copied, whatever is on it",
		Who: "`skep disk copy`, `skep image import` and `export`, `skep snapshot` of raw disks", Rights: jailed,
		Calls: []string{"disk.Fill"}, From: []string{"inside", "disk"}},
	{Name: Unpack, Reads: "an image that comes packed: xz, gzip, zstd",
		Who: "`skep image import`", Rights: jailed,
		Calls: []string{"inside.unpacker", "inside.(counted).Read", "inside.(sparse).write"}},
	{Name: "layout", Reads: "an OCI image layout, a directory or a tar: the headers of that, its index (at most 16 MiB), manifests and descriptions (1 MiB each), as JSON; the disks in it are only copied and hashed before the unpacker has them",
		Who: "`skep image load`, `skep image ensure`", Rights: caller, Why: "JSON into fixed structures, every blob compared with its digest; nothing of it is executed or names a file to be written"},
	{Name: Results, Reads: "what a guest has left on its results disk: tar, FAT, ext4",
		Who: "`skep results`", Rights: jailed,
		Calls: []string{"results.Extract", "results.(extraction).file", "results.(extraction).tar", "results.(extraction).member",
			"results.(extraction).files", "results.mount"}, From: []string{"inside"}},
	{Name: Page, Reads: "what browsers send, and what guests say on their consoles and screens on its way to browsers: HTTP, WebSockets, logs",
		Who: "`skep serve`", Rights: "none: a jail of its own, in which it has connections that were accepted outside and consoles that were asked for. " +
			"Taken over, it can ask for what those may who are connected at that time; with TLS it says itself whose certificate it has seen, so it could name any of them",
		Calls: []string{"page.(session).tell", "page.withReturns", "page.send", "page.printed", "page.(conn).Read", "page.(conn).Write", "page.raw",
			"page.(Pipe).read"}},
	{Name: "evidence", Reads: "an archive of evidence, which may come from anywhere: lengths, sums, a manifest, lines of JSON, a signature",
		Who: "`skep evidence verify`", Rights: caller, Why: "it has to work on machines where no jail can be built; all of it is bounded, nothing is unpacked or written",
		Calls: []string{"evidence.Verify", "evidence.VerifyFile", "evidence.(canonical).Write", "evidence.(verifier).entry", "evidence.(verifier).own",
			"evidence.(verifier).chain", "evidence.(quiet).Write", "evidence.checkSignature"}, From: []string{"cli"}},
	{Name: Diff, Reads: "the layer of a disk and its base: the tables of a qcow2 image, partitions, ext4, FAT",
		Who: "`skep evidence`", Rights: jailed,
		Calls: []string{"diskdiff.Diff", "diskdiff.openBase", "diskdiff.(nothing).ReadAt", "diskdiff.openLayer", "diskdiff.(layer).ReadAt", "diskdiff.(layer).read", "diskdiff.(storage).ReadAt", "diskdiff.(hashing).sum",
			"diskdiff.(moving).Read"}, From: []string{"inside"}},
	{Name: "file of ext4", Reads: "where the bytes of a plain file lie: superblock, inode, at most 32768 nodes of its tree of extents",
		Who: "the readers " + Results + " and " + Diff, Rights: jailed,
		Calls: []string{"ext4file.Open", "ext4file.(File).extents", "ext4file.(File).Read"}, From: []string{"diskdiff", "results"}},
	{Name: Sheet, Reads: "pictures of screens that are to go onto a contact sheet, at most 60, each of at most 16 million pixels",
		Who: "`skep evidence`, `skep screenshot --every`", Rights: jailed,
		Calls: []string{"evidence.(Sheet).AddPNG"}, From: []string{"inside"}},
	{Name: Memory, Reads: "what a hypervisor writes of its guest's memory: an ELF stream, or a kdump that is only copied",
		Who: "`skep dump`", Rights: jailed,
		Calls: []string{"memdump.Make", "memdump.(stream).full", "memdump.(stream).decode"}, From: []string{"inside"}},
	{Name: "what comes of results", Reads: "the stream that the reader of results makes: kind, path, size and bytes, each bounded and checked again",
		Who: "`skep results`", Rights: caller, Why: "somebody has to write the files; below one directory, new plain files and directories only, and fuzzed",
		Calls: []string{"results.Unpack", "results.(Report).put", "results.next", "results.reason", "results.(Dir).File", "results.(Archive).File"},
		From:  []string{"inside", "results"}},
	{Name: Sinkhole, Reads: "frames of a guest's network card, of every length and kind, and all that is spoken in them: DHCP, DNS, TCP, HTTP, mail",
		Who: "the keeper, for a nic with `network = \"sinkhole\"`, as long as the cell runs", Rights: jailed + ", the connection to the card and its record"},
	{Name: UserNet, Reads: "frames of a guest's network card, and what comes back from what it may reach",
		Who:    "the keeper, for a nic with `network = \"user\"`, as long as the cell runs",
		Rights: jailed + ", the connection to the card, its record, and connected sockets that the keeper hands it one by one: it can make none"},
	{Name: Segment, Reads: "frames of a guest's network card, and of the cards of other cells on its segment: lengths and addresses, and nothing behind them",
		Who:    "the keeper, for a nic with `network = \"lab\"`, as long as the cell runs",
		Rights: jailed + ", the connection to the card, its record, and connections to the same process of each other cell on the segment"},
	{Name: "what a network asks", Reads: "questions of a jailed network for a name or a connection, at most 4 KiB each and 32 at a time",
		Who: "the keeper", Rights: own, Why: "somebody has to connect; JSON into one fixed structure, of which a name and an address are looked up in the policy of the cell file"},
	{Name: Capture, Reads: "frames of a guest's network card on a tap, which it writes to the two files of a capture; a sinkhole does that itself",
		Who: "the keeper, for a nic with `capture = true`", Rights: jailed + ", a packet socket of that tap, on which nothing can be sent (FreeBSD: two of bpf(4), for reading), and the two files"},
	{Name: CaptureFile, Reads: "what a capture has written: blocks by their length, of which it looks at nothing else",
		Who: "`skep capture`", Rights: jailed},
	{Name: "swtpm", Reads: "what a guest asks of its TPM, and what its hypervisor says for it: commands of at most 4 KiB",
		Who: "the keeper, for a cell with a tpm block; it ends with the hypervisor", Rights: jailed + ": its two connections to the hypervisor, and its state"},
	{Name: "qemu-img", Reads: "images of every format",
		Who: "`skep image import` and `export`, `skep snapshot` of a cell that does not run", Rights: jailed},
	{Name: "image header", Reads: "of an image: 4 KiB at its beginning and 512 bytes at its end, of which fields of a fixed size at fixed places are compared with numbers",
		Who: "the keeper before each start, `skep check --host`, `skep plan`, `skep disk grow`", Rights: own,
		Why: "a jail at each start would cost as much as half of the start; nothing there says how much is read or where",
		Calls: []string{"disk.check", "disk.checkRaw", "disk.checkQcow2", "disk.isQcow2", "disk.foreign", "disk.SizeIn", "disk.checkTables",
			"disk.CheckQcow2", "disk.open", "disk.growLayer"},
		From: []string{"disk", "provision", "cli", "image"}},
	{Name: "layer", Reads: "whose base a layer was made on, 64 bytes; a raw base that is copied where the hypervisor knows no layers, whose bytes are not looked at",
		Who: "the keeper before each start", Rights: own, Why: "as of image headers",
		Calls: []string{"disk.CheckLayer", "disk.MakeLayer", "disk.newLayer", "disk.fillLayer", "disk.noteOn"}, From: []string{"provision", "bench"}},
	{Name: "end of a log", Reads: "the last 64 KiB of a log: what a console begins with, escaped, and the last lines that are kept when a cell ends",
		Who: "`skep console`; of a cell that has crashed its keeper; a sweep", Rights: own, Why: "once, when nothing runs any more; ends of lines are looked for, and bytes escaped",
		Calls: []string{"console.Tail", "console.endsLine", "console.Starts", "console.TailLines", "console.TailOf"}, From: []string{"cli", "keeper", "provision", "worker", "order", "page"}},
	{Name: "what a tool says", Reads: "the lines of a jailed reader (at most 16 KiB each, 100,000 of them), the progress, the last words and the description of an image (JSON) of qemu-img",
		Who: "whoever runs the tool", Rights: caller, Why: "somebody has to hear how it ended; JSON into one fixed structure, numbers within their range",
		Calls: []string{"tool.converse", "tool.readLine", "tool.pump", "tool.(tail).Write", "tool.(percent).Write"}},
	{Name: "terminal", Reads: "the live console as it passes, and a log with `--raw`: which modes of the terminal are to be put back",
		Who: "`skep console`, `skep run`, `skep log --raw`", Rights: caller, Why: "the terminal itself reads the same; a state machine without memory of its own, which is fuzzed",
		Calls: []string{"console.(Screen).Write", "console.Show", "console.(Harmless).Write", "console.(crlf).Write", "console.(gate).Write", "console.Overlap", "console.newTTY"},
		From:  []string{"cli", "console", "page"}},
	{Name: "console", Reads: "on FreeBSD: the console's bytes on their way to its log and to whoever has joined; nothing is looked for in them but ends of lines",
		Who: "the worker", Rights: worker,
		Calls: []string{"console.(Server).deliver", "console.newest", "console.(BoundedLog).Write"},
		From:  []string{"worker"}},
	{Name: "guest's memory", Reads: "on FreeBSD: a guest's memory on its way to the reader that `skep dump` has, whose bytes are not looked at; on FreeBSD 14, whose kernel refuses it to the worker's jail, the keeper passes it on",
		Who: "the worker", Rights: worker,
		Calls: []string{"memdump.Pour", "memdump.(until).Read"}, From: []string{"worker", "provision"}},
	{Name: "log to be cut", Reads: "the newest half of a log that has grown too long, for the end of a line; where a keeper has died the sweep does, with the rights of whoever runs it",
		Who: "the worker", Rights: worker,
		Calls: []string{"console.TrimFile"}, From: []string{"worker", "console"}},
	{Name: "QMP", Reads: "what QEMU says on its monitor: lines of at most 1 MiB, 32 deep, timed",
		Who: "the worker", Rights: worker,
		Calls: []string{"qmp.New", "qmp.newReader", "qmp.decode", "qmp.depth", "qmp.(Client).execute"}, From: []string{"worker", "hypervisor", "bench"}},
	{Name: "a template's memory and devices", Reads: "a guest's memory, of which pages that are all zero are left out, and the state of its devices, at most 512 MiB, as bytes on their way to a file and through a digest; what they mean only a clone's hypervisor reads, in its jail",
		Who: "`skep template make` and `verify`", Rights: caller, Why: "nothing is looked for in them but zeros",
		Calls: []string{"template.CopyMemory", "template.KeepState", "template.FileOf", "template.sumOf", "template.pages"},
		From:  []string{"provision", "cli", "template", "drill"}},
	{Name: "last words", Reads: "the hypervisor's standard error, of which the last lines are kept",
		Who: "the worker", Rights: worker,
		Calls: []string{"hypervisor.(Stderr).Write", "worker.(worker).keep"}},
	{Name: "worker", Reads: "what a worker tells its keeper: messages of 4160 bytes, with numbers and printable texts in fixed places",
		Who: "the keeper", Rights: own, Why: "somebody with rights has to hear what became of the guest; a closed list of messages, each checked for state, length and rate, and fuzzed",
		Calls: []string{"worker.decode", "worker.NewLink"}, From: []string{"provision", "worker", "attack"}},
	{Name: "screen", Reads: "the VNC handshake and one picture, at most 16384 pixels wide and 16 million in all; the bytes of a viewer's connection pass unread",
		Who: "the worker, for `skep screenshot`", Rights: worker,
		Calls: []string{"screen.Capture", "screen.Hands", "screen.(pixelFormat).colour", "screen.DecodePPM", "screen.ppmNumber", "screen.Proxy"},
		From:  []string{"provision", "worker", "keeper", "page"}},
}

// NoReaders are functions of those packages that take a file or bytes and look at none that is hostile: they
// lock, write, share blocks, look at what kind of file it is, or read what skep or the person has written.
var NoReaders = []string{
	"page.(Pipe).write",
	"disk.Copy", "disk.attached", "disk.clone", "disk.Lock", "disk.lock", "disk.lockBytes", "disk.lockByte", "disk.rangeFlock", "disk.holders",
	"disk.free", "disk.writeQcow2", "console.MarkStart", "console.readKeys", "console.(Escape).Filter",
	"qmp.(Client).GetFD", "qmp.(Client).AddVNC", "template.Stamp", "template.(Template).Check", "template.CPU", "template.Read", "template.(Store).Finish",
	"qmp.(Client).Screendump", "qmp.(Client).SaveTo", "qmp.(Client).RestoreFrom", "qmp.(Client).move", "qmp.(Client).send", "qmp.sendWithFile",
	"console.OpenModem", "console.OpenToTrim", "worker.(Link).Trim", "console.StartNumbers", "console.rememberStart",
	"disk.syncDir", "disk.place", "disk.RemoveLayer", "disk.(baseNote).check", "disk.program", "disk.Share", "disk.LayerImage", "disk.checkZvol",
	"tool.copyFile", "tool.run", "tool.uidInUse", "tool.specOf", "tool.spend", "reader.(Host).Cut", "reader.(Host).Copy", "reader.(Host).Memory", "inside.Diff", "qmp.(Client).Dump", "inside.until",
	"inside.Results", "results.(zeros).Read",
	"worker.zero", "worker.(Message).encode", "worker.filesIn", "worker.newConn", "worker.sendAll", "worker.(stream).WriteWithFile", "worker.serve",
	"worker.(conn).read", "worker.(counter).Write", "worker.appendHand", "worker.parseHand", "worker.(Link).Follow", "worker.(Link).ServeConsole",
	"worker.(Client).JoinConsole", "worker.(Client).Relay", "worker.(Client).Capture", "worker.(Client).Hands", "worker.(Client).Memory",
	"worker.(Link).Connect", "worker.(Link).Listen", "worker.(Client).AddVNC", "worker.(Client).SaveTo", "worker.(Client).RestoreFrom", "worker.(Client).move", "worker.(Client).Screenshot",
	"worker.(Client).Dump", "worker.(Client).ScreenSize", "evidence.sums", "evidence.Bytes", "evidence.consoleText", "evidence.Signer",
	"evidence.signWith", "evidence.signed", "evidence.armor", "evidence.newReader",
	"worker.(Client).ChangeMedium", "qmp.(Client).ChangeMedium",
}

// Packages are those that handle hostile bytes.
var Packages = []string{"disk", "console", "screen", "qmp", "hypervisor", "tool", "reader", "inside", "results", "worker", "page", "template", "memdump", "evidence", "diskdiff", "ext4file"}
