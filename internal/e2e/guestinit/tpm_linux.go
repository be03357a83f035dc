package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// askTPM asks the TPM for its clock, with which it says how often it was reset: a number that it keeps.
func askTPM() error {
	dev, err := os.ReadFile("/sys/class/tpm/tpm0/dev")
	if err != nil {
		return err
	}
	var major, minor uint32
	if _, err := fmt.Sscanf(strings.TrimSpace(string(dev)), "%d:%d", &major, &minor); err != nil {
		return err
	}
	if err := unix.Mknod("/tpm0", unix.S_IFCHR|0o600, int(unix.Mkdev(major, minor))); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	// Not by package os, which opens it with O_NONBLOCK: the driver sends the question later then, and who reads before
	// that is told of the end of the file.
	fd, err := unix.Open("/tpm0", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// TPM2_ReadClock: a tag, a length, a code; TPM 2.0 library, part 3, section 29.1.
	if _, err := unix.Write(fd, []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x81}); err != nil {
		return err
	}
	b := make([]byte, 4096)
	n, err := unix.Read(fd, b)
	if err != nil {
		return err
	}
	if code := binary.BigEndian.Uint32(b[6:]); n < 34 || code != 0 {
		return fmt.Errorf("%d bytes, code %#x", n, code)
	}
	say("tpm reset %d times", binary.BigEndian.Uint32(b[26:]))
	return nil
}
