package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sector is where write and read meet: not the first, where a partition table
// would be.
const sector = 7 * 512

// write puts text on the first disk.
func write(text string) error {
	f, err := os.OpenFile("/dev/vda", os.O_WRONLY|unix.O_SYNC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 512)
	copy(b, text)
	if _, err := f.WriteAt(b, sector); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	say("written")
	return nil
}

// read fetches it again, from the disk and not from memory.
func read() error {
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return err
	}
	f, err := os.Open("/dev/vda")
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 512)
	if _, err := f.ReadAt(b, sector); err != nil {
		return err
	}
	say("read %q", strings.TrimRight(string(b), "\x00"))
	return nil
}

// ask gives the first network card an address and asks a server for an answer:
// "ask MY-ADDRESS/BITS SERVER:PORT".
func ask(rest string) error {
	mine, server, _ := strings.Cut(rest, " ")
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(mine)
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	for range 10 {
		answer, err := askOnce(server)
		if err == nil {
			say("answer %q", answer)
			return nil
		}
		time.Sleep(500 * time.Millisecond) // the bridge may still be learning
	}
	return errors.New("no answer")
}

func askOnce(server string) (string, error) {
	conn, err := net.DialTimeout("tcp", server, 3*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := conn.Write([]byte("question\n")); err != nil {
		return "", err
	}
	b := make([]byte, 200)
	n, err := conn.Read(b)
	return strings.TrimSpace(string(b[:n])), err
}

// pump moves so many MiB to the first disk and back, past the page cache, and says so after each.
func pump(rest string) error {
	const chunk = 1 << 20
	mib, err := strconv.Atoi(rest)
	if err != nil {
		return err
	}
	f, err := os.OpenFile("/dev/vda", os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// Memory that is mapped lies on a page, as O_DIRECT wants it.
	buf, err := unix.Mmap(-1, 0, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	for i := range buf {
		buf[i] = byte(i)
	}
	say("pump begins")
	for i := range mib {
		if _, err := f.WriteAt(buf, int64(i)*chunk); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	say("pumped out")
	for i := range mib {
		if _, err := f.ReadAt(buf, int64(i)*chunk); err != nil {
			return err
		}
	}
	say("pumped in")
	return nil
}

// crowd reads the first disk at many places at once, past the page cache: more than one request is then
// under way at the hypervisor.
func crowd() error {
	const readers, rounds, chunk = 8, 32, 64 << 10
	f, err := os.OpenFile("/dev/vda", os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	errs := make(chan error, readers)
	for r := range readers {
		buf, err := unix.Mmap(-1, 0, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return err
		}
		go func() {
			for i := range rounds {
				if _, err := f.ReadAt(buf, int64(r*rounds+i)*chunk); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range readers {
		err = errors.Join(err, <-errs)
	}
	if err == nil {
		say("all have read")
	}
	return err
}

// discard gives blocks of a disk back and has others zeroed, and reads what lies around them
// into scattered memory.
func discard(disk string) error {
	f, err := os.OpenFile("/dev/"+disk, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, request := range []uintptr{unix.BLKDISCARD, unix.BLKZEROOUT} {
		span := [2]uint64{1 << 20, 1 << 20}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(&span[0]))); errno != 0 {
			return fmt.Errorf("request %#x: %w", request, errno)
		}
	}
	if _, err := f.WriteAt(make([]byte, 3<<20), 4<<20); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return err
	}
	if _, err := f.ReadAt(make([]byte, 8<<20), 0); err != nil {
		return err
	}
	say("discarded")
	return nil
}
