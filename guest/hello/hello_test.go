package hello

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestROMIsBuiltFromSource guards against a hello.rom that nobody can read.
func TestROMIsBuiltFromSource(t *testing.T) {
	nasm, err := exec.LookPath("nasm")
	if err != nil {
		t.Skip("nasm is not installed")
	}
	built := filepath.Join(t.TempDir(), "hello.rom")
	if out, err := exec.Command(nasm, "-f", "bin", "-Werror", "-o", built, "hello.asm").CombinedOutput(); err != nil {
		t.Fatalf("nasm: %v\n%s", err, out)
	}
	got, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, ROM()) {
		version, _ := exec.Command(nasm, "-v").Output()
		t.Fatalf("hello.rom is not what hello.asm assembles to with %s; run go generate", bytes.TrimSpace(version))
	}
}

// TestROMShape holds what both hypervisors ask of a boot ROM.
func TestROMShape(t *testing.T) {
	rom := ROM()
	if len(rom) == 0 || len(rom) > 64<<10 || len(rom)%4096 != 0 {
		t.Errorf("the ROM has %d bytes; want whole pages, at most 64 KiB", len(rom))
	}
	if reset := rom[len(rom)-16]; reset != 0xe9 {
		t.Errorf("the reset vector begins with %#x; want a near jump (0xe9): a far one leaves bhyve's ROM", reset)
	}
	rom[0] ^= 0xff
	if ROM()[0] == rom[0] {
		t.Error("ROM returned the same bytes twice instead of a copy")
	}
}

func TestGreeting(t *testing.T) {
	for _, shape := range []struct {
		name string
		args []string
	}{
		{"one cpu, no SMM", nil},
		{"four cpus", []string{"-smp", "4"}},
		{"with SMM", []string{"-machine", "smm=auto"}},
	} {
		t.Run(shape.name, func(t *testing.T) {
			onEachAccel(t, func(t *testing.T, accel string) {
				vm := startVM(t, accel, "", shape.args...)
				vm.greeted()
				want := map[string]string{"tcg": "QEMU TCG", "kvm": "KVM"}[accel]
				first, rest, _ := strings.Cut(vm.console.text(), "\r\n")
				if !strings.HasPrefix(first, Greeting) || !strings.HasSuffix(first, want) {
					t.Errorf("first line %q; want %q … %q", first, Greeting, want)
				}
				if !strings.HasPrefix(rest, Commands) {
					t.Errorf("second line %q; want %q …", rest, Commands)
				}
				vm.press()
				vm.ended("guest-shutdown")
			})
		})
	}
}

func TestEcho(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "")
		vm.greeted()
		for range 20 {
			vm.order("abc\n\rxyz")
		}
		vm.console.wait(strings.Repeat("abc\r\n\r\nxyz", 20))
	})
}

// TestOrdersBeforeTheStart guards a start-up that resets the UART and with it what
// has already arrived, which would lose the order of `echo q | skep run hello`.
func TestOrdersBeforeTheStart(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "ab\nq")
		vm.console.wait("ab\r\npower off\r\n")
		vm.ended("guest-shutdown")
	})
}

func TestPowerOff(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "")
		vm.greeted()
		vm.order(string(PowerOff))
		vm.ended("guest-shutdown")
	})
}

func TestReset(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "")
		vm.greeted()
		vm.order(string(Reset))
		vm.ended("guest-reset")
		// A second request would reset the machine again after it was continued.
		if event, ok := vm.event("SHUTDOWN", 300*time.Millisecond); ok {
			t.Errorf("one reset was reported twice: %s", event)
		}
	})
}

func TestTripleFault(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		var args []string
		if accel == "tcg" {
			args = []string{"-d", "cpu_reset"}
		}
		vm := startVM(t, accel, "", args...)
		vm.greeted()
		vm.order(string(TripleFault))
		if accel == "tcg" {
			vm.ended("guest-reset")
			if !strings.Contains(vm.stderr(), "Triple fault") {
				t.Error("QEMU reported no triple fault")
			}
			return
		}
		// KVM without the hardware (kvm_pvm) cannot carry it out and stops with
		// an internal error.
		if _, ok := vm.event("STOP", patience); !ok {
			t.Fatal("the guest did not stop")
		}
		if status := vm.status(); status != "shutdown" && status != "internal-error" {
			t.Errorf("status %q; want shutdown or internal-error", status)
		}
	})
}

func TestHang(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "")
		vm.greeted()
		vm.order(string(Hang))
		vm.console.wait("hang\r\n")
		before := vm.console.text()
		vm.order("abc" + string(PowerOff))
		vm.press()
		if event, ok := vm.event("SHUTDOWN", time.Second); ok {
			t.Errorf("a hung guest ended: %s", event)
		}
		if after := vm.console.text(); after != before {
			t.Errorf("a hung guest wrote %q", after[len(before):])
		}
		vm.idle()
	})
}

func TestFlood(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "")
		vm.greeted()
		vm.order(string(Flood) + "abc" + string(PowerOff))
		vm.console.wait(strings.Repeat("flood: this line comes again and again, as fast as the console takes it.......\r\n", 50))
		vm.press()
		vm.ended("guest-shutdown")
	})
}

// TestPowerButtonOnAStuckConsole guards an end that waits for a reader.
func TestPowerButtonOnAStuckConsole(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "")
		vm.greeted()
		vm.console.pause()
		vm.order(string(Flood))
		time.Sleep(time.Second)
		vm.press()
		vm.ended("guest-shutdown")
	})
}

// TestSecondLife: after a reset from outside all of it works again.
func TestSecondLife(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "")
		vm.greeted()
		vm.order(string(PowerOff))
		vm.ended("guest-shutdown")
		vm.console.clear()
		vm.do("set-action", `{"reboot":"reset"}`)
		vm.do("system_reset", "")
		vm.do("cont", "")
		vm.greeted()
		vm.order("again")
		vm.console.wait("again")
		vm.press()
		vm.ended("guest-shutdown")
	})
}

func TestIdle(t *testing.T) {
	onEachAccel(t, func(t *testing.T, accel string) {
		vm := startVM(t, accel, "")
		vm.greeted()
		vm.idle()
	})
}
