package attack

import "golang.org/x/sys/unix"

const wx = unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC

// memoryAttempts make memory that is writable and executable, and share it. Memory may be written
// first and made executable then: FreeBSD has nothing against that.
var memoryAttempts = []Attempt{
	{ID: "wx-map", Tries: "get memory that is writable and executable",
		By: "process-controls", Want: "EACCES", Single: "capability mode has nothing against memory", Start: true,
		Do: try(unix.SYS_MMAP, 0, 4096, wx, unix.MAP_PRIVATE|unix.MAP_ANON, none, 0)},
	{ID: "wx-shared", Tries: "get such memory, shared",
		By: "process-controls", Want: "EACCES", Single: "capability mode has nothing against memory", Start: true,
		Do: try(unix.SYS_MMAP, 0, 4096, wx, unix.MAP_SHARED|unix.MAP_ANON, none, 0)},
	{ID: "wx-protect", Tries: "make memory executable that stays writable",
		By: "process-controls", Want: "EACCES", Single: "capability mode has nothing against memory", Start: true,
		Do: try(unix.SYS_MPROTECT, late(func(s *Fixture) any { return s.scratch }), 4096, wx)},
	{ID: "wx-code", Tries: "make its own program writable",
		By: "process-controls", Want: "EACCES", Single: "capability mode has nothing against memory", Start: true,
		Do: try(unix.SYS_MPROTECT, late(func(s *Fixture) any { return s.code }), 4096, wx)},
	{ID: "max-protection", Tries: "get more of a mapping than it was made for (PROT_MAX)",
		By: "", Want: "ENOTSUP | EOPNOTSUPP", NoControl: "no kernel takes it back", Start: true,
		Do: try(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_READ<<16, unix.MAP_PRIVATE|unix.MAP_ANON, none, 0)},
	{ID: "lock", Tries: "lock memory, so that the host cannot have it back",
		By: "jail no-suser", Want: "EPERM | ENOMEM", Single: singleJail, Start: true, Do: try(unix.SYS_MLOCK, late(func(s *Fixture) any { return s.scratch }), 4096)},
	{ID: "shm-open", Tries: "open POSIX shared memory by name",
		By: "capsicum", Want: "ECAPMODE", Single: "jails share no such names", Do: try(unix.SYS_SHM_OPEN, "/skep-drill", unix.O_RDWR, 0).pastGate(unix.ENOENT)},
	{ID: "shm-attach", Tries: "attach System V shared memory of the host",
		By: "jail capsicum", Want: "ENOSYS | ECAPMODE | EINVAL", Start: true, Needs: needShared,
		Do: try(unix.SYS_SHMAT, late(func(s *Fixture) any { return s.Bait.Own.Shm }), 0, 0o10000)},
	{ID: "shm-get", Tries: "make System V shared memory",
		By: "jail capsicum", Want: "ENOSYS | ECAPMODE", Start: true, Do: ipc(unix.SYS_SHMGET, unix.SYS_SHMCTL, 0, 4096, 0o1600)},
	{ID: "semaphores", Tries: "make System V semaphores",
		By: "jail capsicum", Want: "ENOSYS | ECAPMODE", Start: true, Do: ipc(unix.SYS_SEMGET, unix.SYS___SEMCTL, 0, 1, 0o1600)},
	{ID: "messages", Tries: "make a System V message queue",
		By: "jail capsicum", Want: "ENOSYS | ECAPMODE", Start: true, Do: ipc(unix.SYS_MSGGET, unix.SYS_MSGCTL, 0, 0o1600)},
	{ID: "message-queue", Tries: "open a POSIX message queue",
		By: "capsicum", Want: "ENOSYS | ECAPMODE", Single: "a jail has queues of its own", Do: try(unix.SYS_KMQ_OPEN, "/skep-drill", unix.O_RDWR, 0, 0).opening()},
	{ID: "semaphore-name", Tries: "open a POSIX semaphore of the kernel's",
		By: "capsicum", Want: "ENOSYS | ECAPMODE", Single: "jails share no such names", Do: try(unix.SYS_KSEM_OPEN, space(8), "/skep-drill", 0, 0, 0).pastGate(unix.ENOENT)},
}

func needShared(s *Fixture) (string, bool) {
	return "this kernel has no System V shared memory", s.Bait.Own.Shm >= 0
}

// ipc makes something of System V's, and removes it again.
func ipc(get, control uint64, args ...any) code {
	return func(s *Fixture) Outcome {
		r := s.call(get, args...)
		if r.errno == 0 && !r.gone {
			s.call(control, r.value, 0, 0, 0) // IPC_RMID; of semaphores that is the third
		}
		return attempt{}.judge(r)
	}
}
