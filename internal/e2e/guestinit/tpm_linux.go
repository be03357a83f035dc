package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// askTPM asks the TPM for its clock, with which it says how often it was reset: a number that it keeps. It asks once, and
// again only where it may: a guest that was reverted has had an empty first answer.
func askTPM(again bool) error {
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
	f, err := os.OpenFile("/tpm0", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 4096)
	n, tries := 0, 1
	if again {
		tries = 5
	}
	for range tries {
		// TPM2_ReadClock: a tag, a length, a code; TPM 2.0 library, part 3, section 29.1.
		if _, err = f.Write([]byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x81}); err == nil {
			if n, err = f.Read(b); err == nil {
				break
			}
		}
		if again {
			say("tpm: %v", err)
			time.Sleep(time.Second)
		}
	}
	if err != nil {
		return err
	}
	if code := binary.BigEndian.Uint32(b[6:]); n < 34 || code != 0 {
		return fmt.Errorf("%d bytes, code %#x", n, code)
	}
	say("tpm reset %d times", binary.BigEndian.Uint32(b[26:]))
	return nil
}
