package probe

import (
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"

	"skep/internal/host"
)

// descriptor is the part that we need of a firmware descriptor, QEMU's
// docs/interop/firmware.json.
type descriptor struct {
	Interfaces []string `json:"interface-types"`
	Mapping    struct {
		Device     string `json:"device"`
		Mode       string `json:"mode"`
		Executable image  `json:"executable"`
		Template   image  `json:"nvram-template"`
	} `json:"mapping"`
	Targets []struct {
		Architecture string   `json:"architecture"`
		Machines     []string `json:"machines"`
	} `json:"targets"`
	Features []string `json:"features"`
}

type image struct {
	Filename string `json:"filename"`
	Format   string `json:"format"`
}

// firmwareDirs hold descriptors, the admin's before the distribution's; a name
// in an earlier one hides the same name in a later one.
var firmwareDirs = []string{"/etc/qemu/firmware", "/usr/share/qemu/firmware", "/usr/local/share/qemu/firmware"}

// knownOVMF are the pairs of distributions whose descriptors are missing or
// lie: Debian and Ubuntu, Fedora and RHEL, Arch, openSUSE, Gentoo.
var knownOVMF = [][2]string{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	{"/usr/share/edk2-ovmf/x64/OVMF_CODE.4m.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.4m.fd"},
	{"/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"},
	{"/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"},
	{"/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"},
	{"/usr/share/edk2/OvmfX64/OVMF_CODE.fd", "/usr/share/edk2/OvmfX64/OVMF_VARS.fd"},
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
}

// knownSecure are those of Secure Boot, with keys in their variables: Debian and Ubuntu, Fedora and RHEL, openSUSE.
var knownSecure = [][2]string{
	{"/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"},
	{"/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"},
	{"/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin", "/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin"},
}

// findOVMF looks for UEFI firmware in fsys, which is rooted at "/". The paths
// are all that was looked at, there or not.
func findOVMF(fsys fs.FS, secure bool) (found *host.OVMF, paths []string) {
	names := map[string]string{} // base name -> path
	for _, dir := range firmwareDirs {
		paths = append(paths, dir)
		entries, _ := fs.ReadDir(fsys, dir[1:])
		for _, e := range entries {
			if _, hidden := names[e.Name()]; !hidden && strings.HasSuffix(e.Name(), ".json") {
				names[e.Name()] = path.Join(dir, e.Name())
			}
		}
	}
	// The descriptors' names begin with their priority.
	order := make([]string, 0, len(names))
	for n := range names {
		order = append(order, n)
	}
	slices.Sort(order)
	for _, n := range order {
		paths = append(paths, names[n])
		b, err := fs.ReadFile(fsys, names[n][1:])
		if err != nil || len(b) > 1<<20 {
			continue
		}
		var d descriptor
		// An empty file is how an admin switches a descriptor off.
		if json.Unmarshal(b, &d) != nil || !d.fits(secure) {
			continue
		}
		code, vars := d.Mapping.Executable.Filename, d.Mapping.Template.Filename
		paths = append(paths, code, vars)
		if readable(fsys, code) && readable(fsys, vars) {
			return &host.OVMF{Code: code, Vars: vars, By: names[n]}, paths
		}
	}
	known := knownOVMF
	if secure {
		known = knownSecure
	}
	for _, pair := range known {
		paths = append(paths, pair[0], pair[1])
		if readable(fsys, pair[0]) && readable(fsys, pair[1]) {
			return &host.OVMF{Code: pair[0], Vars: pair[1], By: "a known path"}, paths
		}
	}
	return nil, paths
}

// fits says whether a firmware suits our machine: q35 on x86-64 with flash in
// two raw files and no system management mode. Secure Boot needs that mode and
// keys in the variables, which refuse many guests: it is another firmware.
func (d descriptor) fits(secure bool) bool {
	m := d.Mapping
	if !slices.Contains(d.Interfaces, "uefi") || m.Device != "flash" ||
		m.Mode != "" && m.Mode != "split" ||
		m.Executable.Format != "raw" || m.Template.Format != "raw" ||
		!path.IsAbs(m.Executable.Filename) || !path.IsAbs(m.Template.Filename) {
		return false
	}
	for _, f := range []string{"requires-smm", "secure-boot", "enrolled-keys"} {
		if slices.Contains(d.Features, f) != secure {
			return false
		}
	}
	for _, t := range d.Targets {
		if t.Architecture != "x86_64" {
			continue
		}
		for _, pattern := range t.Machines {
			if ok, _ := path.Match(pattern, "pc-q35-7.2"); ok {
				return true
			}
		}
	}
	return false
}

func readable(fsys fs.FS, name string) bool {
	f, err := fsys.Open(strings.TrimPrefix(path.Clean(name), "/"))
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	return err == nil && st.Mode().IsRegular() && st.Size() > 0
}
