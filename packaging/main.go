package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A build is what the packages are made of, and where they go.
type build struct {
	version string    // of skep, as the program says it
	bins    string    // directory of skep-OS-ARCH
	native  string    // a skep that runs here: it prints the completions
	out     string    // directory of the packages
	top     string    // the source tree
	stamp   time.Time // of every file in them
	targets []string  // OS/ARCH
	who     string    // the packages' maintainer
}

func main() {
	b, err := parse()
	if err == nil {
		err = b.all()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func parse() (*build, error) {
	b := &build{}
	flag.StringVar(&b.version, "version", "", "version of skep")
	flag.StringVar(&b.bins, "bins", "dist/bin", "directory of skep-OS-ARCH")
	flag.StringVar(&b.native, "native", "", "a skep that runs on this machine")
	flag.StringVar(&b.out, "out", "dist", "directory of the packages")
	flag.StringVar(&b.top, "top", ".", "the source tree")
	epoch := flag.String("epoch", os.Getenv("SOURCE_DATE_EPOCH"), "time of every file, in seconds since 1970")
	targets := flag.String("targets", "linux/amd64", "OS/ARCH, those that are in the directory of binaries")
	flag.StringVar(&b.who, "maintainer", "The authors of skep <maintainers@skep.invalid>", "NAME <ADDRESS> of who answers for the packages")
	flag.Parse()
	b.targets = strings.Fields(*targets)
	if b.version == "" || b.native == "" {
		return nil, fmt.Errorf("-version and -native are needed")
	}
	seconds, err := strconv.ParseInt(*epoch, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("-epoch must be a number of seconds, got %q", *epoch)
	}
	b.stamp = time.Unix(seconds, 0).UTC()
	return b, os.MkdirAll(b.out, 0o755)
}

// all makes a package of each kind for each system and architecture.
func (b *build) all() error {
	for _, target := range b.targets {
		system, arch, _ := strings.Cut(target, "/")
		list, err := b.files(system, arch)
		if err != nil {
			return err
		}
		switch system {
		case "linux":
			for _, kind := range []string{"deb", "rpm", "apk"} {
				if err := b.made(b.linuxPackage(kind, arch, list)); err != nil {
					return fmt.Errorf("%s for %s: %w", kind, arch, err)
				}
			}
		case "freebsd":
			if err := b.made(b.freebsdPackage(arch, list)); err != nil {
				return fmt.Errorf("pkg for %s: %w", arch, err)
			}
		default:
			return fmt.Errorf("no packages for %q: must be linux/ARCH or freebsd/ARCH", target)
		}
	}
	return nil
}

func (b *build) made(path string, err error) error {
	if err == nil {
		fmt.Println(path)
	}
	return err
}

// write puts a package in its place in one step, so that half of one is never there.
func (b *build) write(name string, write func(*os.File) error) (string, error) {
	path := filepath.Join(b.out, name)
	f, err := os.Create(path + ".new")
	if err != nil {
		return "", err
	}
	err = write(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		os.Remove(path + ".new")
	}
	return path, err
}
