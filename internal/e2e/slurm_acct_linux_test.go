package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	databasePort   = 7815
	accountingPort = 7816
)

// account gives the cluster a memory: a database, and the daemon that keeps the books of Slurm in it. It returns
// what the cluster's file says of that.
func (s *slurm) account(host, address string) string {
	s.t.Helper()
	share := filepath.Join(s.root, "usr/share/mysql")
	data := s.l.path("slurm/database")
	s.procs = append(s.procs, s.daemon("mariadbd", "--no-defaults", "--user=root", "--datadir="+data,
		"--socket="+s.l.path("slurm/db.sock"), "--pid-file="+s.l.path("slurm/db.pid"), "--bind-address="+address, "--port="+strconv.Itoa(databasePort),
		"--lc-messages-dir="+share, "--character-sets-dir="+share+"/charsets", "--plugin-dir=/nonexistent",
		// Nobody else is in this network, and the tables of users would have to be made first.
		"--skip-grant-tables", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"))
	s.l.write("etc/slurmdbd.conf", fmt.Sprintf(`AuthType=auth/none
DbdHost=%s
DbdAddr=%s
DbdPort=%d
SlurmUser=root
LogFile=%[4]s/slurm/slurmdbd.log
PidFile=%[4]s/slurm/slurmdbd.pid
PluginDir=%[5]s
StorageType=accounting_storage/mysql
StorageHost=%[2]s
StoragePort=%[6]d
StorageUser=root
StorageLoc=slurm
`, host, address, accountingPort, s.l.dir, filepath.Join(s.root, slurmLibs, "slurm-wlm"), databasePort))
	if err := os.Chmod(s.l.path("etc/slurmdbd.conf"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.listens(address, databasePort)
	s.procs = append(s.procs, s.daemon("slurmdbd", "-D"))
	s.listens(address, accountingPort)
	return fmt.Sprintf("AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=%s\nAccountingStoragePort=%d\n", address, accountingPort)
}

// listens waits until something does.
func (s *slurm) listens(address string, port int) {
	s.t.Helper()
	eventually(s.t, limit, "something listens on port "+strconv.Itoa(port), func() (ok bool) {
		s.l.in.do(func() error {
			c, err := net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
			if ok = err == nil; ok {
				c.Close()
			}
			return nil
		})
		return ok
	})
}

// remembered is what Slurm's accounting says of the memory of a job that is over, in KiB.
func (s *slurm) remembered(id string) (most int) {
	s.t.Helper()
	for _, line := range strings.Split(s.run("sacct", "-n", "-P", "-j", id, "--format=MaxRSS"), "\n") {
		n, _ := strconv.Atoi(strings.TrimSuffix(line, "K"))
		most = max(most, n)
	}
	return most
}

// anonymous is what a process has of memory that is nobody else's, in KiB.
func anonymous(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(procOf(pid, "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
