package attack

import (
	"golang.org/x/sys/unix"

	"skep/internal/hypervisor"
)

const (
	GroupTPM = "what a TPM was handed"
	TpmState = "tpm-state"
)

// TpmAttempts are those of whoever has taken over a guest's TPM, with what that was handed.
func TpmAttempts() []Attempt { return inGroups([]group{{GroupTPM, TpmTable}}) }

var TpmTable = []Attempt{
	{ID: "tpm-state-grow", Tries: "let its state grow beyond its limit", Want: "EFBIG", Needs: needHanded(TpmState),
		Do: well(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_FTRUNCATE, handed(TpmState)(s), s.Bound.Value+1))
		})},
	{ID: "tpm-state-reserve", Tries: "reserve more of the disk for it (fallocate)", Want: "EPERM", Needs: needHanded(TpmState),
		Do: well(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_FALLOCATE, handed(TpmState)(s), unix.FALLOC_FL_KEEP_SIZE, 0, 1<<40))
		})},
	{ID: "tpm-state-program", Tries: "map its state as a program", Want: "EPERM", Needs: needHanded(TpmState),
		Do: try(unix.SYS_MMAP, 0, 4096, rx, unix.MAP_PRIVATE, handed(TpmState), 0)},
	{ID: "tpm-state-setuid", Tries: "make it a program of somebody else's (fchmod)", Want: "EPERM", Needs: needHanded(TpmState),
		Do: try(unix.SYS_FCHMOD, handed(TpmState), 0o4755)},
	{ID: "tpm-log-empty", Tries: "empty the hypervisor's log, in which its last words are", Want: "EPERM", Needs: needHanded(TpmState),
		Do: try(unix.SYS_FTRUNCATE, 2, 0)},
	{ID: "tpm-log-read", Tries: "read what the hypervisor has said there", Want: "EBADF", Needs: needHanded(TpmState),
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_READ, 2, s.put(make([]byte, 64)), 64))
		})},
	{ID: "tpm-elsewhere", Tries: "connect its socket to somebody else's", Want: "EPERM", Needs: needHanded(hypervisor.FDTPM),
		Do: code(func(s *Fixture) Outcome {
			to := local(s.Bait.Dir + "/socket")
			return attempt{}.judge(s.call(unix.SYS_CONNECT, handed(hypervisor.FDTPM)(s), to, len(to)))
		})},
	{ID: "tpm-peer", Tries: "see who the hypervisor is (SO_PEERCRED)", Want: "EPERM", Needs: needHanded(hypervisor.FDTPM),
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_GETSOCKOPT, handed(hypervisor.FDTPM)(s), unix.SOL_SOCKET, unix.SO_PEERCRED, s.put(make([]byte, 12)),
				s.put([]byte{12, 0, 0, 0})))
		})},
}
