package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// options are the command line's.
type options struct {
	suites   []string
	kernels  []string // releases to boot
	cache    string   // holds userlands and results
	run      string   // which tests
	packages []string // of which packages
	table    bool     // only print the table of what was kept
	verbose  bool
	patience time.Duration // with a mirror
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == insideArg {
		os.Exit(inside(os.Args[2:]))
	}
	o, err := parse()
	if err == nil {
		err = work(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

func parse() (options, error) {
	var o options
	suites := flag.String("suites", "", "Debian releases to run in")
	kernels := flag.String("kernels", "", "releases to boot with their own kernel and systemd, emulated")
	packages := flag.String("packages", "./internal/e2e", "packages whose tests to run in a userland")
	flag.StringVar(&o.run, "run", "^TestMatrix$", "which of their tests")
	flag.StringVar(&o.cache, "cache", os.Getenv("SKEP_TEST_CACHE"), "directory of userlands")
	flag.BoolVar(&o.table, "table", false, "print the table of what earlier runs have kept, and run nothing")
	flag.DurationVar(&o.patience, "patience", time.Hour, "how long a userland may take to be made")
	flag.BoolVar(&o.verbose, "v", false, "all that the tests print")
	flag.Parse()
	if o.cache == "" {
		o.cache = "build/cache"
	}
	var err error
	if o.cache, err = filepath.Abs(o.cache); err != nil {
		return o, err
	}
	o.suites, o.kernels, o.packages = strings.Fields(*suites), strings.Fields(*kernels), strings.Fields(*packages)
	return o, nil
}

// work runs what is asked for and prints the table. Its error says that something failed.
func work(o options) error {
	if o.table {
		return printTable(os.Stdout, o)
	}
	failed := 0
	for _, s := range o.suites {
		r, err := runSuite(o, s)
		if err != nil {
			return err
		}
		failed += r.failures()
	}
	for _, k := range o.kernels {
		r, err := runKernel(o, k)
		if err != nil {
			return err
		}
		failed += r.failures()
	}
	fmt.Println()
	if err := printTable(os.Stdout, o); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d columns failed", failed)
	}
	return nil
}
