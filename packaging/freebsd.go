package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/klauspost/compress/zstd"
)

// A manifest is what pkg(8) reads of a package, pkg-create(8): the small one without files and scripts.
type manifest struct {
	Name       string            `json:"name"`
	Origin     string            `json:"origin"`
	Version    string            `json:"version"`
	Comment    string            `json:"comment"`
	Maintainer string            `json:"maintainer"`
	WWW        string            `json:"www"`
	ABI        string            `json:"abi"`
	Arch       string            `json:"arch"`
	Prefix     string            `json:"prefix"`
	Flatsize   int64             `json:"flatsize"`
	Licenses   []string          `json:"licenses"`
	LicLogic   string            `json:"licenselogic"`
	Desc       string            `json:"desc"`
	Categories []string          `json:"categories"`
	Files      map[string]string `json:"files,omitempty"`
	Dirs       map[string]string `json:"directories,omitempty"`
	Scripts    map[string]string `json:"scripts,omitempty"`
}

// abis are FreeBSD's names of an architecture; the program is static, so any release from 14 on will do.
var abis = map[string][2]string{
	"amd64": {"FreeBSD:*:amd64", "freebsd:*:x86:64"},
	"arm64": {"FreeBSD:*:aarch64", "freebsd:*:aarch64:64"},
}

// freebsdPackage is a tar archive, compressed with zstd, whose first two members are the manifests.
func (b *build) freebsdPackage(arch string, list []file) (string, error) {
	m := manifest{
		Name: "skep", Origin: "sysutils/skep", Version: freebsdVersion(b.version), Maintainer: b.who, WWW: "UNKNOWN",
		Comment: "Run virtual machines, each with its hypervisor in a jail of its own", ABI: abis[arch][0], Arch: abis[arch][1],
		Prefix: prefix("freebsd"), Licenses: []string{"BSD2CLAUSE"}, LicLogic: "single", Categories: []string{"sysutils"},
		Desc: "A cell file describes a virtual machine. skep runs its bhyve(8) in a jail(8) that holds\n" +
			"nothing but what this one machine needs, audits it from outside, and leaves nothing behind.",
	}
	for _, f := range list {
		m.Flatsize += int64(len(f.body))
	}
	small, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	m.Files, m.Dirs = map[string]string{}, map[string]string{"/usr/local/etc/skep": "y", "/usr/local/etc/skep/cells": "y"}
	for _, f := range list {
		sum := sha256.Sum256(f.body)
		m.Files[f.path] = "1$" + hex.EncodeToString(sum[:])
	}
	stop, err := os.ReadFile(b.top + "/packaging/freebsd/pre-deinstall")
	if err != nil {
		return "", err
	}
	m.Scripts = map[string]string{"pre-deinstall": string(stop)}
	whole, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	body, err := b.archive(small, whole, list)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("skep-%s-freebsd-%s.pkg", m.Version, arch)
	return b.write(name, func(f *os.File) error {
		_, err := f.Write(body)
		return err
	})
}

func (b *build) archive(small, whole []byte, list []file) ([]byte, error) {
	var out bytes.Buffer
	// One encoder at a time: several would cut the stream by how they were scheduled.
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	put := func(h tar.Header, body []byte) error {
		h.ModTime, h.Size, h.Uname, h.Gname, h.Format = b.stamp, int64(len(body)), "root", "wheel", tar.FormatPAX
		if err := t.WriteHeader(&h); err != nil {
			return err
		}
		_, err := t.Write(body)
		return err
	}
	members := append([]file{{path: "+COMPACT_MANIFEST", mode: 0o644, body: small}, {path: "+MANIFEST", mode: 0o644, body: whole}}, list...)
	for _, f := range members {
		if err := put(tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: int64(f.mode)}, f.body); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{"/usr/local/etc/skep/", "/usr/local/etc/skep/cells/"} {
		if err := put(tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755}, nil); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}

// freebsdVersion orders a commit after its release: pkg-version(8) takes letters for parts of a version.
func freebsdVersion(v string) string {
	if m := described.FindStringSubmatch(v); m != nil {
		return m[1] + "." + m[2]
	}
	return v
}
