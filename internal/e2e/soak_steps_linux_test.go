package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// soakStep is one thing done to a cell, or two at once.
type soakStep struct {
	verb, cell string
	with       string // a second command on the same cell at the same time
}

func (s soakStep) String() string {
	text := strings.TrimSpace(s.verb + " " + s.cell)
	if s.with != "" {
		text += ", and " + s.with + " at once"
	}
	return text
}

// soakCells are cells of each kind, with what their files say.
var soakCells = map[string]string{
	"plain":  "",
	"again":  "restart = \"on-crash\"\nrestart_limit {\n  starts = 2\n  within = \"20s\"\n}",
	"disk":   "disk \"d\" {\n  file = \"d.img\"\n  size = \"1M\"\n}",
	"screen": "screen {\n}",
	"net":    "bridge \"%BRIDGE\" {\n  create = true\n}\nnic \"n\" {\n  bridge = \"%BRIDGE\"\n}",
}

// soakVerbs: those without a blank are skep's own, and may be done two at once.
var soakVerbs = []string{
	"up", "up", "up", "down", "down --force", "kill", "restart --force", "sweep", "audit", "show", "ps", "log",
	"SIGKILL hypervisor", "SIGKILL keeper", "SIGTERM keeper", "SIGSTOP keeper", "guest resets", "guest powers off", "guest faults", "dies taking", "dies releasing",
}

func randomStep(rng *rand.Rand) soakStep {
	names := make([]string, 0, len(soakCells))
	for n := range soakCells {
		names = append(names, n)
	}
	sort.Strings(names)
	s := soakStep{verb: soakVerbs[rng.IntN(len(soakVerbs))], cell: names[rng.IntN(len(names))]}
	if commands[s.verb] && rng.IntN(4) == 0 {
		for !commands[s.with] {
			s.with = soakVerbs[rng.IntN(len(soakVerbs))]
		}
	}
	return s
}

// commands are the verbs that are skep's.
var commands = map[string]bool{"up": true, "down": true, "down --force": true, "kill": true, "restart --force": true,
	"sweep": true, "audit": true, "show": true, "ps": true, "log": true}

// soaked is a lab and what is known of its cells.
type soaked struct{ l *lab }

func newSoaked(t *testing.T) *soaked {
	s := &soaked{newLab(t)}
	bridge := fmt.Sprintf("sks%d", os.Getpid()%100000)
	for name, body := range soakCells {
		s.l.cell(name, "accel = \"tcg\"\nmemory = \"16M\"\nstop_timeout = \"5s\"\n"+strings.ReplaceAll(body, "%BRIDGE", bridge))
	}
	return s
}

// do does one step; what must follow of it is looked at here, what must always
// be true in consistent.
func (s *soaked) do(step soakStep) error {
	if commands[step.verb] {
		var wg sync.WaitGroup
		if step.with != "" {
			wg.Add(1)
			go func() { defer wg.Done(); s.command(step.with, step.cell) }()
		}
		r := s.command(step.verb, step.cell)
		wg.Wait()
		if step.with != "" {
			if r.code > 6 && r.code != 75 {
				return fmt.Errorf("it ended with %d\n%s", r.code, r)
			}
			return nil
		}
		return s.after(step, r)
	}
	before, err := s.cells()
	if err != nil {
		return err
	}
	c := before[step.cell]
	switch step.verb {
	case "dies taking", "dies releasing":
		return s.dies(step)
	case "SIGKILL hypervisor":
		return signal(c.PID, syscall.SIGKILL)
	case "SIGKILL keeper":
		return signal(c.KeeperPID, syscall.SIGKILL)
	case "SIGTERM keeper":
		return signal(c.KeeperPID, syscall.SIGTERM)
	case "SIGSTOP keeper": // as on a host that swaps
		if err := signal(c.KeeperPID, syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(300 * time.Millisecond)
		return signal(c.KeeperPID, syscall.SIGCONT)
	}
	if c.State != "running" {
		return nil
	}
	order := map[string]string{"guest resets": "r", "guest powers off": "q", "guest faults": "t"}[step.verb]
	conn, err := net.Dial("unix", s.l.path("run/cells/"+step.cell+"/console.sock"))
	if err != nil {
		return nil // it has just ended
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(order))
	time.Sleep(50 * time.Millisecond)
	return nil
}

func (s *soaked) command(verb, cell string) result {
	args := strings.Fields(verb)
	if verb != "ps" {
		args = append(args, cell)
	}
	return s.l.skep(args...)
}

// after is what one command alone has brought about.
func (s *soaked) after(step soakStep, r result) error {
	if r.code > 6 && r.code != 75 || r.code != 0 && !strings.Contains(r.err, "skep: error: cannot ") {
		return fmt.Errorf("it ended with %d\n%s", r.code, r)
	}
	cells, err := s.cells()
	if err != nil {
		return err
	}
	switch state := cells[step.cell].State; step.verb {
	case "up", "restart --force":
		if r.code != 0 && r.code != 75 {
			return fmt.Errorf("it failed\n%s", r)
		}
	case "down", "down --force", "kill":
		if r.code != 0 || cells[step.cell].PID != 0 || state == "running" {
			return fmt.Errorf("the cell is %s\n%s", state, r)
		}
	case "audit":
		if r.code != 0 && state == "running" {
			return fmt.Errorf("of a cell that runs\n%s", r)
		}
	case "sweep", "show", "ps":
		if r.code != 0 {
			return fmt.Errorf("it failed\n%s", r)
		}
	}
	return nil
}

// dies starts the cell with a keeper that kills itself half-way.
func (s *soaked) dies(step soakStep) error {
	at := map[string]string{"dies taking": "SKEP_TEST_CRASH_AT=taken:hypervisor", "dies releasing": "SKEP_TEST_CRASH_AT=releasing:slot"}[step.verb]
	env := s.l.env
	s.l.env = append(slices.Clone(env), at)
	r := s.command("up", step.cell)
	s.l.env = env
	if r.code > 6 && r.code != 75 {
		return fmt.Errorf("it ended with %d\n%s", r.code, r)
	}
	if step.verb == "dies releasing" {
		s.command("kill", step.cell)
	}
	return nil
}

func signal(pid int, sig syscall.Signal) error {
	if pid > 1 {
		_ = syscall.Kill(pid, sig) // it may be gone
	}
	return nil
}

func (s *soaked) cells() (map[string]cellState, error) {
	var list struct{ Cells []cellState }
	s.l.skep("adopt", "--all")
	r := s.l.skep("ps", "--json")
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || r.code != 0 {
		return nil, fmt.Errorf("ps: %w\n%s", err, r)
	}
	cells := map[string]cellState{}
	for _, c := range list.Cells {
		cells[c.Name] = c
	}
	return cells, nil
}

// consistent compares, once things have settled, what skep says with what the
// kernel says: a cell that runs has one hypervisor with a uid that nobody else
// has, and one that does not run has nothing.
func (s *soaked) consistent() error {
	return settles(30*time.Second, func() error {
		cells, err := s.cells()
		if err != nil {
			return err
		}
		uids, swept := map[int]string{}, true
		for _, c := range cells {
			// Whose keeper died before its guest ran says so until a sweep or up.
			swept = swept && !strings.Contains(c.Reason, "skep sweep releases")
			switch c.State {
			case "running":
				st := statusOf(c.PID)
				if uid := strings.Fields(st["Uid"] + " -"); uid[0] != strconv.Itoa(c.UID) || !s.l.mine(c.UID) {
					return fmt.Errorf("%s runs with uid %d, and process %d has %s", c.Name, c.UID, c.PID, uid[0])
				}
				if uids[c.UID] != "" {
					return fmt.Errorf("%s and %s have uid %d", c.Name, uids[c.UID], c.UID)
				}
				uids[c.UID] = c.Name
				if c.KeeperPID == 0 {
					return fmt.Errorf("%s runs without a keeper", c.Name)
				}
			case "stopped", "held", "crashed":
				if c.PID != 0 || c.UID != -1 {
					return fmt.Errorf("%s is %s with pid %d and uid %d", c.Name, c.State, c.PID, c.UID)
				}
			default:
				return fmt.Errorf("%s is %s", c.Name, c.State)
			}
		}
		for _, p := range s.l.processes() {
			if swept && s.l.mine(p.uid) && uids[p.uid] == "" {
				return fmt.Errorf("process %d of uid %d is no cell's: %s", p.pid, p.uid, p.args)
			}
		}
		if info, err := os.Stat(s.l.path("config/cells/d.img")); err == nil && info.Size() != 1<<20 {
			return fmt.Errorf("the disk has %d bytes", info.Size())
		}
		return nil
	})
}

// hostLooks is what a host looks like to a cell's resources: interfaces, mounts
// and control groups.
func hostLooks() string {
	var b strings.Builder
	for _, dir := range []string{"/sys/class/net", "/sys/fs/cgroup", "/sys/fs/cgroup/skep", "/sys/fs/cgroup/memory/skep"} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if uid, err := strconv.Atoi(e.Name()); err == nil && uid > 1000 {
				continue // another lab's cell
			}
			if strings.HasPrefix(e.Name(), "sks") || dir == "/sys/fs/cgroup" {
				fmt.Fprintln(&b, filepath.Join(dir, e.Name()))
			}
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	fmt.Fprintf(&b, "%d mounts\n", strings.Count(string(mounts), "\n"))
	return b.String()
}
