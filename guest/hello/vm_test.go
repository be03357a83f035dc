package hello

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a busy machine may take for what usually takes a moment.
const patience = 30 * time.Second

var accelArgs = map[string]string{
	"tcg": "tcg,split-wx=on",
	"kvm": "kvm",
}

// onEachAccel runs a test on real hypervisors: TCG wherever QEMU is, KVM wherever a
// trial shows that it works.
func onEachAccel(t *testing.T, test func(t *testing.T, accel string)) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no virtual machines")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("qemu-system-x86_64 is not installed")
	}
	t.Run("tcg", func(t *testing.T) { test(t, "tcg") })
	t.Run("kvm", func(t *testing.T) {
		if why := kvmTrial(); why != "" {
			t.Skip(why)
		}
		test(t, "kvm")
	})
}

// kvmTrial says why KVM cannot be used, or nothing. A /dev/kvm that opens is not
// yet a KVM that works, so a guest has to get one byte out.
var kvmTrial = sync.OnceValue(func() string {
	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return err.Error()
	}
	kvm.Close()
	dir, err := os.MkdirTemp("", "hello")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	cmd, err := qemu(dir, "kvm")
	if err != nil {
		return err.Error()
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err.Error()
	}
	if err := cmd.Start(); err != nil {
		return err.Error()
	}
	giveUp := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	_, err = out.Read(make([]byte, 1))
	giveUp.Stop()
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		return "KVM does not run the guest here"
	}
	return ""
})

// qemu is a QEMU with the guest as its firmware and the console on its standard
// input and output. A guest that ends leaves it paused, so that the reason can be
// asked for.
func qemu(dir, accel string, args ...string) (*exec.Cmd, error) {
	rom := filepath.Join(dir, "rom")
	if err := os.WriteFile(rom, ROM(), 0o400); err != nil {
		return nil, err
	}
	all := []string{
		"-machine", "q35,pflash0=rom,smm=off",
		"-accel", accelArgs[accel],
		"-nodefaults", "-no-user-config", "-display", "none", "-m", "64M",
		"-blockdev", "driver=file,node-name=romfile,read-only=on,filename=" + rom,
		"-blockdev", "driver=raw,node-name=rom,read-only=on,file=romfile",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-qmp", "unix:" + filepath.Join(dir, "qmp") + ",server=on,wait=off",
		"-action", "reboot=shutdown,shutdown=pause",
	}
	return exec.Command("qemu-system-x86_64", append(all, args...)...), nil
}

type vm struct {
	t       *testing.T
	cmd     *exec.Cmd
	dir     string
	keys    io.Writer
	console *console
	qmp     net.Conn
	replies chan json.RawMessage
	events  chan json.RawMessage
}

// startVM starts the guest with typed already waiting on its console.
func startVM(t *testing.T, accel, typed string, args ...string) *vm {
	t.Helper()
	// Not t.TempDir: its name would be too long for a UNIX socket.
	dir, err := os.MkdirTemp("", "hello")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd, err := qemu(dir, accel, args...)
	if err != nil {
		t.Fatal(err)
	}
	vm := &vm{
		t: t, cmd: cmd, dir: dir,
		replies: make(chan json.RawMessage, 1),
		events:  make(chan json.RawMessage, 100),
	}
	keysOut, keys, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, screenIn, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = keysOut, screenIn, stderr
	vm.keys = keys
	vm.order(typed)
	err = cmd.Start()
	keysOut.Close()
	screenIn.Close()
	stderr.Close()
	if err != nil {
		t.Fatal(err)
	}
	vm.console = newConsole(t, screen)
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		keys.Close()
		screen.Close()
		if vm.qmp != nil {
			vm.qmp.Close()
		}
		if t.Failed() {
			t.Logf("console: %.2000q\nstderr: %.2000s", vm.console.text(), vm.stderr())
		}
	})
	vm.connect()
	return vm
}

func (vm *vm) connect() {
	vm.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("unix", filepath.Join(vm.dir, "qmp"))
		if err == nil {
			vm.qmp = conn
			break
		}
		if time.Now().After(deadline) {
			vm.t.Fatalf("QEMU does not answer: %v\n%s", err, vm.stderr())
		}
		time.Sleep(5 * time.Millisecond)
	}
	go func() {
		lines := bufio.NewScanner(vm.qmp)
		for lines.Scan() {
			line := json.RawMessage(strings.Clone(lines.Text()))
			var kind struct{ Event string }
			json.Unmarshal(line, &kind)
			if kind.Event != "" {
				vm.events <- line
			} else {
				vm.replies <- line
			}
		}
	}()
	vm.reply() // QEMU's own greeting
	vm.do("qmp_capabilities", "")
}

func (vm *vm) reply() json.RawMessage {
	vm.t.Helper()
	select {
	case reply := <-vm.replies:
		return reply
	case <-time.After(patience):
		vm.t.Fatal("QEMU does not answer")
		return nil
	}
}

// do has QEMU execute a command, with arguments in JSON.
func (vm *vm) do(command, arguments string) json.RawMessage {
	vm.t.Helper()
	if arguments == "" {
		arguments = "{}"
	}
	if _, err := fmt.Fprintf(vm.qmp, `{"execute":%q,"arguments":%s}`, command, arguments); err != nil {
		vm.t.Fatal(err)
	}
	reply := vm.reply()
	if strings.Contains(string(reply), `"error"`) {
		vm.t.Fatalf("%s: %s", command, reply)
	}
	return reply
}

// press presses the power button.
func (vm *vm) press() {
	vm.t.Helper()
	vm.do("system_powerdown", "")
}

func (vm *vm) status() string {
	vm.t.Helper()
	var reply struct{ Return struct{ Status string } }
	if err := json.Unmarshal(vm.do("query-status", ""), &reply); err != nil {
		vm.t.Fatal(err)
	}
	return reply.Return.Status
}

// event waits for the next event of a name and drops the others before it.
func (vm *vm) event(name string, wait time.Duration) (json.RawMessage, bool) {
	timeout := time.After(wait)
	for {
		select {
		case event := <-vm.events:
			var kind struct{ Event string }
			json.Unmarshal(event, &kind)
			if kind.Event == name {
				return event, true
			}
		case <-timeout:
			return nil, false
		}
	}
}

// ended waits for the guest's end and compares its reason.
func (vm *vm) ended(reason string) {
	vm.t.Helper()
	event, ok := vm.event("SHUTDOWN", patience)
	if !ok {
		vm.t.Fatalf("the guest did not end; want %s", reason)
	}
	var end struct{ Data struct{ Reason string } }
	if err := json.Unmarshal(event, &end); err != nil {
		vm.t.Fatal(err)
	}
	if end.Data.Reason != reason {
		vm.t.Fatalf("the guest ended by %s; want %s", end.Data.Reason, reason)
	}
}

func (vm *vm) greeted() {
	vm.t.Helper()
	vm.console.wait("is echoed\r\n")
}

func (vm *vm) order(letters string) {
	vm.t.Helper()
	if _, err := io.WriteString(vm.keys, letters); err != nil {
		vm.t.Fatal(err)
	}
}

func (vm *vm) stderr() string {
	text, _ := os.ReadFile(filepath.Join(vm.dir, "stderr"))
	return string(text)
}

// idle checks that QEMU sleeps while its guest waits: that it uses no processor time,
// and that its threads are hardly ever scheduled either, because a timer that wakes
// the host for nothing costs too little to show as time.
func (vm *vm) idle() {
	vm.t.Helper()
	switches, ok := vm.switches()
	if !ok {
		vm.t.Log("no /proc/PID/task to measure with")
		return
	}
	ticks := vm.ticks()
	time.Sleep(2 * time.Second)
	now, _ := vm.switches()
	// Idle QEMU makes one or two; its timer alone would make over two hundred.
	if n := now - switches; n > 50 {
		vm.t.Errorf("QEMU's threads ran %d times in two idle seconds", n)
	}
	if n := vm.ticks() - ticks; n > 10 {
		vm.t.Errorf("QEMU used %d of 200 ticks in two idle seconds", n)
	}
}

// switches counts how often QEMU's threads were scheduled so far.
func (vm *vm) switches() (total int, ok bool) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", vm.cmd.Process.Pid))
	for _, file := range files {
		status, _ := os.ReadFile(file)
		for line := range strings.Lines(string(status)) {
			var n int
			if name, value, _ := strings.Cut(line, ":"); strings.HasSuffix(name, "voluntary_ctxt_switches") {
				fmt.Sscan(value, &n)
				total, ok = total+n, true
			}
		}
	}
	return total, ok
}

// ticks is the processor time that QEMU used so far, in hundredths of a second.
func (vm *vm) ticks() int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", vm.cmd.Process.Pid))
	_, fields, _ := strings.Cut(string(stat), ") ")
	var user, system int
	for i, field := range strings.Fields(fields) {
		switch i + 3 { // proc(5) numbers the fields from 1; this is the third
		case 14:
			fmt.Sscan(field, &user)
		case 15:
			fmt.Sscan(field, &system)
		}
	}
	return user + system
}

// console collects what the guest writes.
type console struct {
	t *testing.T
	// reading is held while reading; who else holds it stops the reader.
	reading sync.Mutex

	mu   sync.Mutex
	got  strings.Builder
	more chan struct{}
}

func newConsole(t *testing.T, from io.Reader) *console {
	c := &console{t: t, more: make(chan struct{}, 1)}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			c.mu.Lock()
			c.got.Write(buf[:n])
			c.mu.Unlock()
			select {
			case c.more <- struct{}{}:
			default:
			}
			c.mayRead()
		}
	}()
	return c
}

// mayRead waits until nobody has paused the reader.
func (c *console) mayRead() {
	c.reading.Lock()
	defer c.reading.Unlock()
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

func (c *console) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got.Reset()
}

// pause stops reading for good.
func (c *console) pause() {
	c.reading.Lock()
}

func (c *console) wait(text string) {
	c.t.Helper()
	timeout := time.After(patience)
	for !strings.Contains(c.text(), text) {
		select {
		case <-c.more:
		case <-timeout:
			c.t.Fatalf("the console does not show %.80q", text)
		}
	}
}
