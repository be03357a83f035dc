package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// A file of a package.
type file struct {
	path string // where it is installed
	mode os.FileMode
	body []byte
}

// An entry says where a file goes, below the prefix, and what is in it.
type entry struct {
	path string
	mode os.FileMode
	body func(b *build, os, arch string) ([]byte, error)
}

// common are the files of every system.
var common = []entry{
	{"bin/skep", 0o755, binary("skep")},
	{"libexec/skep/skep-cell", 0o755, binary("skep-cell")},
	{"share/man/man8/skep.8.gz", 0o644, page("man/skep.8")},
	{"share/man/man5/skep.hcl.5.gz", 0o644, page("man/skep.hcl.5")},
	{"share/bash-completion/completions/skep", 0o644, completion("bash")},
	{"share/zsh/site-functions/_skep", 0o644, completion("zsh")},
	{"share/fish/vendor_completions.d/skep.fish", 0o644, completion("fish")},
	{"share/doc/skep/README.md", 0o644, source("README.md")},
	{"share/doc/skep/security.md", 0o644, source("docs/security.md")},
	{"share/doc/skep/api.md", 0o644, source("docs/api.md")},
	{"share/doc/skep/prometheus/skep.rules.yml", 0o644, source("docs/prometheus/skep.rules.yml")},
	{"share/doc/skep/prometheus/dashboard.json", 0o644, source("docs/prometheus/dashboard.json")},
	{"share/doc/skep/examples/", 0o644, nil},
}

// only are those of one system.
var only = map[string][]entry{
	"linux": {
		{"lib/systemd/system/skep.service", 0o644, placed("systemd/skep.service")},
		{"lib/systemd/system/skep-serve.service", 0o644, placed("systemd/skep-serve.service")},
		{"lib/systemd/system/skep-serve.socket", 0o644, placed("systemd/skep-serve.socket")},
		{"lib/sysusers.d/skep.conf", 0o644, source("systemd/skep.sysusers")},
		{"lib/tmpfiles.d/skep.conf", 0o644, source("systemd/skep.tmpfiles")},
		{"share/skep/apparmor", 0o644, source("packaging/linux/apparmor")},
		{"share/doc/skep/copyright", 0o644, copyright},
		{"share/doc/skep/changelog.gz", 0o644, debianChangelog},
		{"share/lintian/overrides/skep", 0o644, source("packaging/linux/lintian-overrides")},
	},
	"freebsd": {
		{"etc/rc.d/skep", 0o555, placed("rc.d/skep")},
		{"etc/rc.d/skep_serve", 0o555, placed("rc.d/skep_serve")},
		{"share/licenses/skep/LICENSE", 0o644, source("LICENSE")},
		{"share/licenses/skep/LICENSE.xterm", 0o644, source(webLib + "xterm/LICENSE")},
		{"share/licenses/skep/LICENSE.pako", 0o644, source(webLib + "novnc/others/pako/LICENSE")},
		{"share/licenses/skep/LICENSE.novnc", 0o644, source(webLib + "novnc/LICENSE.MPL-2.0")},
		{"share/doc/skep/CHANGELOG.md", 0o644, source("CHANGELOG.md")},
	},
}

// webLib is what others have written of the page.
const webLib = "internal/page/web/lib/"

// prefix is where a system has its packages.
func prefix(os string) string {
	if os == "freebsd" {
		return "/usr/local"
	}
	return "/usr"
}

// files are those of a package, sorted by their paths.
func (b *build) files(system, arch string) ([]file, error) {
	var all []file
	for _, e := range append(append([]entry{}, common...), only[system]...) {
		if e.body == nil {
			examples, err := b.examples(system, e)
			if err != nil {
				return nil, err
			}
			all = append(all, examples...)
			continue
		}
		body, err := e.body(b, system, arch)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.path, err)
		}
		all = append(all, file{path: filepath.Join(prefix(system), e.path), mode: e.mode, body: body})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].path < all[j].path })
	return all, nil
}

func (b *build) examples(system string, e entry) ([]file, error) {
	names, err := filepath.Glob(filepath.Join(b.top, "examples", "*.hcl"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("no examples: %w", err)
	}
	var all []file
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, file{path: filepath.Join(prefix(system), e.path, filepath.Base(name)), mode: e.mode, body: body})
	}
	return all, nil
}

func binary(name string) func(*build, string, string) ([]byte, error) {
	return func(b *build, system, arch string) ([]byte, error) {
		return os.ReadFile(filepath.Join(b.bins, name+"-"+system+"-"+arch))
	}
}

func source(path string) func(*build, string, string) ([]byte, error) {
	return func(b *build, _, _ string) ([]byte, error) { return os.ReadFile(filepath.Join(b.top, path)) }
}

// placed is a file that names the program, where the package has it.
func placed(path string) func(*build, string, string) ([]byte, error) {
	return func(b *build, system, _ string) ([]byte, error) {
		body, err := os.ReadFile(filepath.Join(b.top, path))
		return bytes.ReplaceAll(body, []byte("/usr/local/bin/skep"), []byte(prefix(system)+"/bin/skep")), err
	}
}

func completion(shell string) func(*build, string, string) ([]byte, error) {
	return func(b *build, _, _ string) ([]byte, error) {
		cmd := exec.Command(b.native, "completion", shell)
		cmd.Stderr = os.Stderr
		return cmd.Output()
	}
}

func page(path string) func(*build, string, string) ([]byte, error) {
	return func(b *build, _, _ string) ([]byte, error) {
		body, err := os.ReadFile(filepath.Join(b.top, path))
		if err != nil {
			return nil, err
		}
		return compressed(body)
	}
}

// compressed has neither a name nor a time in its header, so it is the same each time.
func compressed(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// copyright is in the form of Debian's machine-readable copyright files.
func copyright(b *build, _, _ string) ([]byte, error) {
	license, err := os.ReadFile(filepath.Join(b.top, "LICENSE"))
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	out.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: skep\n\nFiles: *\n")
	text := strings.TrimSpace(string(license))
	holder := "the authors of skep"
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "Copyright "); ok {
			holder = strings.TrimPrefix(rest, "(c) ")
			break
		}
	}
	fmt.Fprintf(&out, "Copyright: %s\nLicense: BSD-2-Clause\n", holder)
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \n"); line == "" {
			line = "."
		}
		out.WriteString(" " + line + "\n")
	}
	if err := b.others(&out); err != nil {
		return nil, err
	}
	return []byte(out.String()), nil
}

// others is what the copyright file says of what is in the page.
func (b *build) others(out *strings.Builder) error {
	for _, o := range []struct{ files, holder, license, text string }{
		{"internal/page/web/lib/xterm/*", "2017-2022 The xterm.js authors, 2014-2016 SourceLair, 2012-2013 Christopher Jeffrey", "Expat", "xterm/LICENSE"},
		{"internal/page/web/lib/novnc/others/pako/*", "2014-2016 Vitaly Puzrin", "Expat-pako", "novnc/others/pako/LICENSE"},
		{"internal/page/web/lib/novnc/core/*", "2022 The noVNC authors", "MPL-2.0", ""},
	} {
		fmt.Fprintf(out, "\nFiles: %s\nCopyright: %s\nLicense: %s\n", o.files, o.holder, o.license)
		text := "On Debian systems it is in /usr/share/common-licenses/MPL-2.0."
		if o.text != "" {
			body, err := os.ReadFile(filepath.Join(b.top, webLib, o.text))
			if err != nil {
				return err
			}
			text = strings.TrimSpace(string(body))
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, " \r\n"); line == "" {
				line = "."
			}
			out.WriteString(" " + line + "\n")
		}
	}
	return nil
}

// debianChangelog is what dpkg-parsechangelog(1) reads: one entry, which says where the whole list is.
func debianChangelog(b *build, _, _ string) ([]byte, error) {
	body := fmt.Sprintf("skep (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md in the sources for what changed.\n\n -- %s  %s\n",
		debianVersion(b.version), b.who, b.stamp.Format("Mon, 02 Jan 2006 15:04:05 +0000"))
	return compressed([]byte(body))
}
