package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk" // registers itself
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// description: a line, then lines of 80 characters at most with the space that a control file puts in front.
const description = "run virtual machines, each with its hypervisor in a jail of its own\n" +
	"A cell file describes a virtual machine. skep starts its hypervisor in\n" +
	"namespaces, with seccomp, Landlock and limits, in a root that holds nothing\n" +
	"but what this one machine needs, audits it from outside, and leaves nothing\n" +
	"behind."

// needs are the packages that a kind of package names: what cells need is recommended, for skep itself is
// one static program.
var needs = map[string]nfpm.Overridables{
	"deb": {Recommends: []string{"qemu-system-x86", "uidmap"}, Suggests: []string{"ovmf", "apparmor"}},
	"rpm": {Recommends: []string{"qemu-system-x86-core", "shadow-utils"}, Suggests: []string{"edk2-ovmf"}},
	"apk": {Depends: []string{"qemu-system-x86_64"}},
}

// linuxPackage makes one by nfpm.
func (b *build) linuxPackage(kind, arch string, list []file) (string, error) {
	packager, err := nfpm.Get(kind)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "skep-packaging-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	info := &nfpm.Info{
		Name: "skep", Arch: arch, Platform: "linux", Version: debianVersion(b.version), VersionSchema: "none", Section: "admin",
		Priority: "optional", Maintainer: b.who, Description: description, License: "BSD-2-Clause", MTime: b.stamp,
		DisableGlobbing: true, Overridables: needs[kind],
	}
	info.RPM.BuildHost = "localhost" // not the name of the machine that made it
	info.RPM.Summary, _, _ = strings.Cut(description, "\n")
	if err := b.contents(info, dir, kind, list); err != nil {
		return "", err
	}
	info.Scripts = nfpm.Scripts{
		PostInstall: filepath.Join(b.top, "packaging/linux/postinst"),
		PreRemove:   filepath.Join(b.top, "packaging/linux/prerm"),
		PostRemove:  filepath.Join(b.top, "packaging/linux/postrm"),
	}
	info = nfpm.WithDefaults(info)
	return b.write(packager.ConventionalFileName(info), func(f *os.File) error { return packager.Package(info, f) })
}

// contents hands nfpm the files, which it takes by their paths.
func (b *build) contents(info *nfpm.Info, dir, kind string, list []file) error {
	for n, f := range list {
		if kind != "deb" && strings.Contains(f.path, "/lintian/") {
			continue
		}
		src := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(src, f.body, 0o644); err != nil {
			return err
		}
		info.Contents = append(info.Contents, &files.Content{
			Source: src, Destination: f.path, FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode, MTime: b.stamp},
		})
	}
	for _, d := range []string{"/etc/skep", "/etc/skep/cells"} {
		info.Contents = append(info.Contents, &files.Content{
			Destination: d, Type: files.TypeDir, FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: 0o755, MTime: b.stamp},
		})
	}
	return nil
}

// described is git describe's form of a commit after a release: 0.1.0-12-g0123abc.
var described = regexp.MustCompile(`^([0-9.]+)-([0-9]+)-(g[0-9a-f]+)(-dirty)?$`)

// debianVersion orders such a commit after its release, for dpkg, rpm and apk alike; a hyphen would start
// a package's own revision.
func debianVersion(v string) string {
	v = strings.TrimPrefix(v, "v")
	if m := described.FindStringSubmatch(v); m != nil {
		return m[1] + "+" + m[2] + "." + m[3] + strings.ReplaceAll(m[4], "-", ".")
	}
	return strings.ReplaceAll(v, "-", "~")
}
