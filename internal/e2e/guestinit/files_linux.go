package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mount mounts a disk below /mnt, by its serial number: "mount in iso9660 ro".
func mount(rest string) error {
	var serial, kind, mode string
	if _, err := fmt.Sscan(rest, &serial, &kind, &mode); err != nil {
		return err
	}
	disk, err := bySerial(serial)
	if err != nil {
		return err
	}
	var flags uintptr
	if mode == "ro" {
		flags = unix.MS_RDONLY
	}
	at := filepath.Join("/mnt", serial)
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(disk, at, kind, flags, ""); err != nil {
		return err
	}
	say("mounted %s", serial)
	return nil
}

// bySerial is the node of the disk that has a serial number.
func bySerial(serial string) (string, error) {
	for _, name := range list("/sys/block") {
		b, _ := os.ReadFile("/sys/block/" + name + "/serial")
		if strings.TrimSpace(string(b)) == serial {
			return "/dev/" + name, nil
		}
	}
	return "", fmt.Errorf("no disk has the serial number %s", serial)
}

func unmount(serial string) error {
	if err := unix.Unmount(filepath.Join("/mnt", serial), 0); err != nil {
		return err
	}
	unix.Sync()
	say("unmounted %s", serial)
	return nil
}

// tree lists what is below a directory: names, modes and what is in files.
func tree(dir string) error {
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if files++; files > 20 {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, _ := d.Info()
		say("file %s %s %x", path, info.Mode(), sha256.Sum256(b))
		return nil
	})
	say("%d files in %s", files, dir)
	return err
}

// put writes text to a file, and makes the directories that lead to it: "put /mnt/out/a/b some text".
func put(rest string) error {
	path, text, _ := strings.Cut(rest, " ")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	say("put %s", path)
	return nil
}

// link makes a symbolic link, and node a device node.
func link(rest string) error {
	path, to, _ := strings.Cut(rest, " ")
	if err := os.Symlink(to, path); err != nil {
		return err
	}
	say("put %s", path)
	return nil
}

func node(path string) error {
	const sda = 8 << 8
	if err := unix.Mknod(path, unix.S_IFBLK|0o600, sda); err != nil {
		return err
	}
	say("put %s", path)
	return nil
}

// copyTo writes a file of the initramfs onto a disk, from its first byte: "copy /results.tar out".
func copyTo(rest string) error {
	from, serial, _ := strings.Cut(rest, " ")
	disk, err := bySerial(serial)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(disk, os.O_WRONLY|unix.O_SYNC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	say("copied to %s", serial)
	return nil
}
