package host

import (
	"errors"
	"fmt"

	"skep/internal/layer"
)

// Reference is the host that `skep plan --os` plans for: fixed, complete and
// the same on every machine, so that a plan made from it can be compared. Its
// lists of libraries are shortened; a real host's are some fifty lines.
func Reference(os string) (Facts, error) {
	switch os {
	case "linux":
		return referenceLinux(), nil
	case "freebsd":
		return referenceFreeBSD(), nil
	}
	return Facts{}, fmt.Errorf("a reference host for %q: %w (linux and freebsd are there)", os, errors.ErrUnsupported)
}

// referenceLinux is a Debian 12 with the kernel of its backports, KVM, cgroup
// v2 and the Packages that the doctor asks for, seen by root.
func referenceLinux() Facts {
	layers := map[layer.ID]layer.Probe{}
	for _, l := range layer.Table {
		layers[l.ID] = layer.Probe{State: layer.Have}
	}
	f := Facts{
		Version: FactsVersion, OS: "linux", Arch: "amd64", Kernel: "6.12.9+deb12-amd64", Distro: "debian",
		CPUs: 16, Memory: 64 << 30,
		Dirs:    SystemDirsLinux,
		Slots:   Slots{Count: DefaultCount, UIDBase: DefaultUIDBase},
		Bridges: []string{"br0"},
		Linux: &Linux{
			QEMU:       referenceQEMU(),
			KVM:        KVM{Present: true, Opens: true, Tried: true, Works: true, Node: "crw-rw---- kvm"},
			OVMF:       &OVMF{Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd", By: "/usr/share/qemu/firmware/60-edk2-x86_64.json"},
			OVMFSecure: &OVMF{Code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", By: "/usr/share/qemu/firmware/40-edk2-x86_64-secure-enrolled.json"},
			SWTPM:      "/usr/bin/swtpm",
			Cgroup:     Cgroup{Mode: CgroupV2, V2: "/sys/fs/cgroup/skep", Controllers: []string{"memory", "pids", "cpu"}},
			Landlock:   6,
			TunTap:     true,
		},
	}
	f.Linux.Layers = WithFacts(layers, f)
	return f
}

func referenceQEMU() *QEMU {
	const lib, mod = "/usr/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/qemu/"
	same := func(paths ...string) (out []File) {
		for _, p := range paths {
			out = append(out, File{p, p})
		}
		return out
	}
	q := &QEMU{
		Path:    "/usr/bin/qemu-system-x86_64",
		Version: "7.2.22",
		Files: []File{
			{"/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-system-x86_64"},
			{lib + "ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"},
		},
		TCG: same(mod + "accel-tcg-x86_64.so"),
		Modules: map[string][]File{
			"hw-display-virtio-vga":     same(mod+"hw-display-virtio-gpu.so", mod+"hw-display-virtio-vga.so"),
			"hw-display-virtio-gpu-pci": same(mod+"hw-display-virtio-gpu.so", mod+"hw-display-virtio-gpu-pci.so"),
		},
		Data: "/usr/share/qemu",
	}
	for _, l := range [][2]string{ // soname, real name
		{"libpixman-1.so.0", "libpixman-1.so.0.42.2"},
		{"libz.so.1", "libz.so.1.2.13"},
		{"libglib-2.0.so.0", "libglib-2.0.so.0.7400.6"},
		{"libslirp.so.0", "libslirp.so.0.4.0"},
		{"liburing.so.2", "liburing.so.2.3"},
		{"libm.so.6", "libm.so.6"},
		{"libgcc_s.so.1", "libgcc_s.so.1"},
		{"libc.so.6", "libc.so.6"},
	} {
		q.Files = append(q.Files, File{lib + l[1], "/lib/x86_64-linux-gnu/" + l[0]})
	}
	for _, r := range [][2]string{
		{"/usr/share/seabios/", "bios-256k.bin"},
		{"/usr/share/qemu/", "kvmvapic.bin"},
		{"/usr/share/qemu/", "linuxboot.bin"},
		{"/usr/share/qemu/", "linuxboot_dma.bin"},
		{"/usr/share/qemu/", "multiboot.bin"},
		{"/usr/share/qemu/", "multiboot_dma.bin"},
		{"/usr/share/qemu/", "pvh.bin"},
		{"/usr/share/seabios/", "vgabios-stdvga.bin"},
		{"/usr/share/seabios/", "vgabios-bochs-display.bin"},
		{"/usr/share/seabios/", "vgabios-virtio.bin"},
		{"/usr/lib/ipxe/qemu/", "efi-virtio.rom"},
		{"/usr/lib/ipxe/qemu/", "efi-e1000.rom"},
		{"/usr/share/qemu/", "keymaps/en-us"},
	} {
		q.ROMs = append(q.ROMs, File{r[0] + r[1], q.Data + "/" + r[1]})
	}
	return q
}

// referenceFreeBSD is a FreeBSD 14.2 on AMD with ZFS, racct and edk2-bhyve,
// seen by root.
func referenceFreeBSD() Facts {
	same := func(paths ...string) (out []File) {
		for _, p := range paths {
			out = append(out, File{p, p})
		}
		return out
	}
	// What the four programs share.
	base := []string{"/libexec/ld-elf.so.1", "/usr/lib/libvmmapi.so.6", "/lib/libutil.so.9", "/lib/libnv.so.0", "/lib/libc.so.7"}
	return Facts{
		Version: FactsVersion, OS: "freebsd", Arch: "amd64", Kernel: "14.2-RELEASE",
		CPUs: 16, Memory: 64 << 30,
		Dirs:    SystemDirsFreeBSD,
		Slots:   Slots{Count: DefaultCount, UIDBase: DefaultUIDBase, RulesetBase: DefaultRulesetBase},
		Bridges: []string{"bridge0"},
		FreeBSD: &FreeBSD{
			Release: "14.2-RELEASE", VMM: true, CPU: "svm", NMDM: true, TunTap: true,
			ZFS: true, Racct: true, RuleDepth: 1, GDBFiles: true, TablesOption: true,
			Bhyve: &Bhyve{
				Path: "/usr/sbin/bhyve",
				Files: same(append([]string{"/usr/sbin/bhyve", "/lib/libmd.so.6", "/lib/libthr.so.3", "/lib/libz.so.6",
					"/lib/libcrypto.so.30", "/lib/libcasper.so.1", "/lib/libcap_net.so.1"}, base...)...),
				ACPIFiles: same("/bin/sh", "/usr/sbin/iasl", "/lib/libedit.so.8", "/lib/libtinfow.so.9"),
				Loader:    same(append([]string{"/usr/sbin/bhyveload", "/boot/userboot.so", "/boot/userboot_lua.so", "/boot/userboot_4th.so"}, base...)...),
				Ctl:       same(append([]string{"/usr/sbin/bhyvectl"}, base...)...),
			},
			Firmware:  []string{"/usr/local/share/uefi-firmware/BHYVE_UEFI.fd", "/usr/local/share/uefi-firmware/BHYVE_UEFI_CODE.fd"},
			Rulesets:  []int{1, 2, 3, 4, 5},
			Addresses: []string{"127.0.0.1", "192.168.1.2", "::1"},
		},
	}
}
