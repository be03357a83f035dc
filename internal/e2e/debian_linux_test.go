package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// envDebian names the directory in which a test makes and keeps the image of scripts/debian-image.
const envDebian = "SKEP_TEST_DEBIAN"

// firstStart is how long a Debian may take for its first start: ten of them share what processors there are.
const firstStart = 30 * time.Minute

// debianImage is a disk with a real Debian, which is made where there is none.
func debianImage(t *testing.T) string {
	t.Helper()
	needCells(t)
	needUEFI(t)
	dir := os.Getenv(envDebian)
	if dir == "" {
		t.Skip("needs a Debian that debootstrap makes, in minutes, in " + envDebian)
	}
	cmd := exec.Command("sh", "../../scripts/debian-image", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("make the image: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func digestOfFile(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// What a guest of the test says once cloud-init has done what its seed says.
var saysWho = regexp.MustCompile(`who: host=(\S+) mac=(\S+) key=(\S+) before=(\S+) wrote=(\S+)\s`)

const whoAmI = `#cloud-config
    ssh_genkeytypes: [ed25519]
    package_update: false
    runcmd:
      - |
        before=$(cat /root/mark 2>/dev/null || echo nothing)
        hostname >/root/mark
        sync
        echo 3 >/proc/sys/vm/drop_caches
        mac=$(cat /sys/class/net/e*/address)
        key=$(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2)
        echo "who: host=$(hostname) mac=$mac key=$key before=$before wrote=$(cat /root/mark) " >/dev/ttyS0
    power_state:
      mode: poweroff
      condition: test ! -e /root/stay
`

// Ten guests of one image of a real Debian, at once: each reads its seed, makes its host key and writes to its
// disk. Nothing of that is in the image afterwards, and no layer is left.
func TestDebianTen(t *testing.T) {
	source := debianImage(t)
	needTap(t)
	// Ten firmwares more are a minute more of a processor.
	kernel, initrd := filepath.Join(filepath.Dir(source), "vmlinuz"), filepath.Join(filepath.Dir(source), "initrd.img")
	const many = 10
	l := newLabOf(t, many+2)
	l.in = newNetns(t)
	begin := time.Now()
	l.must(0, "image", "import", "debian", source)
	t.Logf("imported in %s", time.Since(begin).Round(time.Millisecond))
	l.must(0, "image", "verify", "debian")
	file, err := filepath.EvalSymlinks(l.path("state/images/names/debian.raw"))
	l.try(err)
	sum := digestOfFile(t, file)
	if shown := l.must(0, "image", "show", "debian").out; !strings.Contains(shown, sum) {
		t.Errorf("the store has another digest than %s:\n%s", sum, shown)
	}
	l.cell("lab", `accel  = "tcg"
  memory = "384M"
  kernel {
    image   = "`+kernel+`"
    initrd  = "`+initrd+`"
    cmdline = "root=LABEL=root ro quiet console=ttyS0 mitigations=off"
  }
  disk "root" {
    image      = "debian"
    disposable = true
  }
  nic "lan" { bridge = "br0" }
  seed {
    network = <<-EOT
    version: 2
    ethernets:
      any:
        match: {name: "e*"}
        link-local: [ipv6]
    EOT
    user_data = <<-EOT
    `+whoAmI+`    EOT
  }`)
	begin = time.Now()
	l.must(0, "up", fmt.Sprintf("lab@{1..%d}", many))
	t.Logf("%d cells started in %s", many, time.Since(begin).Round(time.Millisecond))
	l.audit(0, "lab@7")
	hosts, macs, keys := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range many {
		name := fmt.Sprintf("lab@%d", i+1)
		var who []string
		eventually(t, firstStart, name+" says who it is", func() bool {
			log, _ := os.ReadFile(l.path("state/cells/" + name + "/console.log"))
			who = saysWho.FindStringSubmatch(string(log))
			return who != nil
		})
		t.Logf("%s after %s: %s", name, time.Since(begin).Round(time.Second), strings.TrimSpace(who[0]))
		if who[4] != "nothing" || who[5] != who[1] || !strings.HasPrefix(who[3], "SHA256:") {
			t.Errorf("%s: %s", name, who[0])
		}
		hosts[who[1]], macs[who[2]], keys[who[3]] = true, true, true
	}
	if len(hosts) != many || len(macs) != many || len(keys) != many {
		t.Errorf("%d names, %d addresses, %d host keys", len(hosts), len(macs), len(keys))
	}
	// They power off by themselves, as their seed says.
	eventually(t, firstStart, "all have ended", func() bool { return l.must(0, "ps", "-q").out == "" })
	for i := range many {
		if files := l.layersOf(fmt.Sprintf("lab@%d", i+1)); len(files) > 0 {
			t.Errorf("lab@%d has left %v", i+1, files)
		}
	}
	l.must(0, "image", "verify", "debian")
	if now := digestOfFile(t, file); now != sum {
		t.Errorf("the image was %s and is %s", sum, now)
	}
	l.nothingLeft()
}
