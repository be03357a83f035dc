# Works with GNU make and with BSD make: nothing in here is more than POSIX.
#
#   make            build bin/skep
#   make demo       a virtual machine in a jail, seen from outside, and nothing left behind
#   make test       all tests; as root more of them can run
#   make bench      what the jail costs, against a bare QEMU and against the skep of commit BEFORE;
#                   PLOT=1 draws bench.svg
#   make bench-slurm  what Slurm adds to it, with CELLS=200 over four slurmd
#   make freebsd-kit  dist/skep-freebsd-amd64.tar: unpack it on FreeBSD and run its run.sh as root
#   make drill-peers  the attacker of skep drill in other sandboxes too, side by side; needs root
#   make soak       anything done to cells at random, for MINUTES=10
#   make debian     tests with a real Debian, made by debootstrap once: needs root, takes minutes
#   make matrix     the same cells in other Debian releases, SUITES="trixie sid": needs root, makes each once;
#                   KERNELS="trixie" boots releases with their own kernel and systemd
#   make packages   deb, rpm, apk and a FreeBSD pkg in dist/packages; the same commit gives the same files
#   make lint       formatting, vet and staticcheck on both systems, man pages
#   make race       the race detector on packages that have goroutines; needs a C compiler
#   make cover      statements covered, a line for each package
#   make fuzz       each fuzz test for FUZZTIME=10s
#   make install    PREFIX and DESTDIR as usual
#   make uninstall  what make install has put there
#   make clean      remove what was built
#   make help       this list

PREFIX = /usr/local
DESTDIR =
# scripts/go finds a Go that is new enough; GO=/path/to/go names one.
GO = sh scripts/go
BIN = bin/skep
# Flags for go test: make test TESTFLAGS='-short ./internal/cell'
# One package after the other: some look at the whole host, some change it.
TESTFLAGS = -p 1 -timeout 30m ./...
BENCHFLAGS =
# A commit that make bench measures this one beside; 5e78b16 is the last before cells had workers.
BEFORE = 5e78b16
# PLOT=1 draws what make bench measures of starts and templates into bench.svg.
PLOT =
PEERFLAGS =
# For make matrix: releases to enter, releases to boot (with KERNELS alone none is entered), and which
# tests of which packages; MATRIXFLAGS=-v prints all they say.
KERNELS =
ALLSUITES = bookworm bookworm-backports trixie trixie-backports sid
SUITES = $$(test -n '$(KERNELS)' || echo '$(ALLSUITES)')
TESTS = ^TestMatrix$$
PACKAGES = ./internal/e2e
MATRIXFLAGS =
# For make soak.
MINUTES = 10
SEED =

all: build

build:
	GO='$(GO)' sh scripts/build $(BIN)

demo: deps
	GO='$(GO)' sh scripts/build $(BIN)
	sh scripts/demo.sh $(BIN)

# What make demo needs and this machine has not got yet.
deps:
	@sh scripts/deps demo

test: vet
	$(GO) run ./internal/repo/cmd/testsum $(TESTFLAGS)

# Fast, and enough to know that the other systems build.
vet:
	CGO_ENABLED=0 GOOS=linux $(GO) vet ./...
	CGO_ENABLED=0 GOOS=freebsd $(GO) vet ./...

lint: vet
	@bad=$$("$$($(GO) env GOROOT)/bin/gofmt" -l cmd guest internal); test -z "$$bad" || { echo "gofmt would change: $$bad"; exit 1; }
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) vet ./...
	CGO_ENABLED=0 GOOS=freebsd GOARCH=arm64 $(GO) vet ./...
	for page in man/*.[58]; do mandoc -T lint -W warning $$page || exit 1; done
	GO='$(GO)' sh scripts/staticcheck

# Packages with goroutines, as root only what needs no cell. The race detector needs cgo.
race:
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m $(RACE)

RACE = ./internal/keeper ./internal/lifecycle ./internal/cli ./internal/console ./internal/screen ./internal/store \
	./internal/qmp ./internal/probe ./internal/process ./internal/unixsock ./internal/network ./internal/jail/...

# Statements covered by the tests, a line for each package.
cover:
	@$(GO) test -short -cover ./... | sed -n 's/^ok[[:space:]]*\([^[:space:]]*\).*coverage: \([0-9.]*%\).*/\2	\1/p'

# Every fuzz test for a while; what one finds is kept in its testdata/fuzz, to be committed. KEEP=8 keeps that
# many inputs of each that showed something new as well.
FUZZTIME = 10s
KEEP = 0
fuzz:
	@GO='$(GO)' sh scripts/fuzz $(FUZZTIME) $(KEEP)

bench: build
	@GO='$(GO)' sh scripts/build-before '$(BEFORE)' bin/before/skep || rm -rf bin/before
	$(GO) run ./internal/bench -skep $(BIN) $$(test ! -e bin/before/skep || echo -before bin/before/skep) $$(test -z '$(PLOT)' || echo -plot bench.svg) $(BENCHFLAGS)

# What Slurm adds to CELLS starts of cells: an array over four slurmd on this host, against skep alone.
CELLS = 200
bench-slurm:
	@sh scripts/deps test
	SKEP_TEST_CACHE=$$PWD/build/cache SKEP_TEST_SLURM_RATE=$(CELLS) $(GO) test -count=1 -v -timeout 30m -run '^TestSlurmRate$$' ./internal/e2e

# The attempts of skep drill in a cell and in other sandboxes, in a throwaway host: root's.
# PEERFLAGS=-summary prints the table of docs/security.md, -json all of it.
drill-peers:
	@sh scripts/deps peers
	@mkdir -p bin
	@$(GO) build -o bin/drill-peers ./internal/drill/peers
	@bin/drill-peers $(PEERFLAGS)

# All of it that a FreeBSD machine can test, to be run there without Go, packages or a network.
freebsd-kit:
	GO='$(GO)' sh scripts/freebsd-kit dist/skep-freebsd-amd64.tar

# Anything done to cells at random; SEED=N repeats a run.
soak:
	SKEP_SOAK_MINUTES=$(MINUTES) SKEP_SOAK_SEED=$(SEED) $(GO) test -count=1 -v -timeout 0 -run '^TestSoak$$' ./internal/e2e

# skep in other userlands, each with its own QEMU and C library: scripts/userland makes them, root
# runs them.
matrix:
	@sh scripts/deps matrix
	@$(GO) run ./internal/matrix -suites "$(SUITES)" -kernels '$(KERNELS)' -run '$(TESTS)' -packages '$(PACKAGES)' $(MATRIXFLAGS)

# The table in docs/matrix.md, from what make matrix has kept.
matrix-table:
	@{ sed '/<!-- begin: make matrix-table/q' docs/matrix.md; $(GO) run ./internal/matrix -table; \
	sed -n '/<!-- end: make matrix-table/,$$p' docs/matrix.md; } > docs/matrix.md.new
	@mv docs/matrix.md.new docs/matrix.md

# The table of attempts in docs/security.md, from the tables of internal/drill/attack.
security-table: build
	@{ sed '/<!-- begin: make security-table/q' docs/security.md; $(BIN) drill --markdown; \
	sed -n '/<!-- end: make security-table/,$$p' docs/security.md; } > docs/security.md.new
	@mv docs/security.md.new docs/security.md

# Tests that want a disk with a real Debian; it is kept in DEBIAN.
DEBIAN = $$PWD/build/debian
debian:
	@sh scripts/deps debian
	SKEP_TEST_DEBIAN=$(DEBIAN) $(GO) test -count=1 -v -timeout 2h -run '^TestDebian' ./internal/e2e

packages:
	GO='$(GO)' sh scripts/packages dist/packages

install:
	@test -x $(BIN) || GO='$(GO)' sh scripts/build $(BIN)
	BIN=$(BIN) PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' sh scripts/install

uninstall:
	BIN=$(BIN) PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' sh scripts/install -u

help:
	@sed -n '/^#   make/s/^#   //p' Makefile

clean:
	rm -rf bin build dist

.PHONY: all build demo debian deps test vet lint race cover fuzz bench bench-slurm drill-peers matrix matrix-table security-table soak freebsd-kit packages install uninstall clean help
