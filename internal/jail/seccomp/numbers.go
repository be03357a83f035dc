package seccomp

import (
	"maps"
	"slices"
)

// Arch is one architecture as seccomp sees it.
type Arch struct {
	Name  string // as in GOARCH
	audit uint32 // AUDIT_ARCH_*
	x32   bool   // numbers with bit 30 set are another ABI's
	index int    // its column in numbers
}

// The architectures that have a hypervisor here. Calls of any other one, i386 on amd64 and arm on
// arm64 included, are foreign.
var (
	AMD64 = Arch{Name: "amd64", audit: 0xc000003e, x32: true, index: 0}
	ARM64 = Arch{Name: "arm64", audit: 0xc00000b7, index: 1}
)

// ArchOf finds an architecture by its GOARCH name.
func ArchOf(goarch string) (Arch, bool) {
	for _, a := range []Arch{AMD64, ARM64} {
		if a.Name == goarch {
			return a, true
		}
	}
	return Arch{}, false
}

// Number is the number of a call, and whether the architecture has the call at all.
func (a Arch) Number(call string) (uint32, bool) {
	n, ok := numbers[call]
	if !ok || n[a.index] < 0 {
		return 0, false
	}
	return uint32(n[a.index]), true
}

// Known reports whether any architecture has the call.
func Known(call string) bool {
	_, ok := numbers[call]
	return ok
}

// numbers are the calls that tables and tests name: amd64, arm64; -1 where there is none. A test
// compares them with golang.org/x/sys.
var numbers = map[string][2]int16{
	"accept":            {43, 202},
	"accept4":           {288, 242},
	"access":            {21, -1},
	"add_key":           {248, 217},
	"arch_prctl":        {158, -1},
	"bind":              {49, 200},
	"bpf":               {321, 280},
	"brk":               {12, 214},
	"capset":            {126, 91},
	"chdir":             {80, 49},
	"chroot":            {161, 51},
	"clock_getres":      {229, 114},
	"clock_gettime":     {228, 113},
	"clock_nanosleep":   {230, 115},
	"clone":             {56, 220},
	"clone3":            {435, 435},
	"close":             {3, 57},
	"close_range":       {436, 436},
	"connect":           {42, 203},
	"copy_file_range":   {326, 285},
	"dup":               {32, 23},
	"dup3":              {292, 24},
	"epoll_create1":     {291, 20},
	"epoll_ctl":         {233, 21},
	"epoll_pwait":       {281, 22},
	"epoll_wait":        {232, -1},
	"eventfd2":          {290, 19},
	"execve":            {59, 221},
	"execveat":          {322, 281},
	"exit":              {60, 93},
	"exit_group":        {231, 94},
	"faccessat":         {269, 48},
	"faccessat2":        {439, 439},
	"fadvise64":         {221, 223},
	"fallocate":         {285, 47},
	"fchdir":            {81, 50},
	"fcntl":             {72, 25},
	"fdatasync":         {75, 83},
	"flock":             {73, 32},
	"fstat":             {5, 80},
	"fstatfs":           {138, 44},
	"fsync":             {74, 82},
	"ftruncate":         {77, 46},
	"futex":             {202, 98},
	"get_mempolicy":     {239, 236},
	"getcwd":            {79, 17},
	"getdents64":        {217, 61},
	"getegid":           {108, 177},
	"geteuid":           {107, 175},
	"getgid":            {104, 176},
	"getpeername":       {52, 205},
	"getpgrp":           {111, -1},
	"getpid":            {39, 172},
	"getppid":           {110, 173},
	"getrandom":         {318, 278},
	"getresgid":         {120, 150},
	"getresuid":         {118, 148},
	"getrlimit":         {97, 163},
	"getsockname":       {51, 204},
	"getsockopt":        {55, 209},
	"gettid":            {186, 178},
	"gettimeofday":      {96, 169},
	"getuid":            {102, 174},
	"init_module":       {175, 105},
	"io_setup":          {206, 0},
	"io_uring_setup":    {425, 425},
	"ioctl":             {16, 29},
	"keyctl":            {250, 219},
	"kill":              {62, 129},
	"listen":            {50, 201},
	"lseek":             {8, 62},
	"madvise":           {28, 233},
	"mbind":             {237, 235},
	"membarrier":        {324, 283},
	"memfd_create":      {319, 279},
	"mincore":           {27, 232},
	"mlock":             {149, 228},
	"mlockall":          {151, 230},
	"mmap":              {9, 222},
	"mount":             {165, 40},
	"mprotect":          {10, 226},
	"mremap":            {25, 216},
	"msync":             {26, 227},
	"munmap":            {11, 215},
	"nanosleep":         {35, 101},
	"newfstatat":        {262, 79},
	"open":              {2, -1},
	"openat":            {257, 56},
	"perf_event_open":   {298, 241},
	"personality":       {135, 92},
	"pidfd_open":        {434, 434},
	"pipe2":             {293, 59},
	"pivot_root":        {155, 41},
	"poll":              {7, -1},
	"ppoll":             {271, 73},
	"prctl":             {157, 167},
	"pread64":           {17, 67},
	"preadv":            {295, 69},
	"preadv2":           {327, 286},
	"prlimit64":         {302, 261},
	"process_madvise":   {440, 440},
	"process_vm_readv":  {310, 270},
	"pselect6":          {270, 72},
	"ptrace":            {101, 117},
	"pwrite64":          {18, 68},
	"pwritev":           {296, 70},
	"pwritev2":          {328, 287},
	"read":              {0, 63},
	"readlink":          {89, -1},
	"readlinkat":        {267, 78},
	"readv":             {19, 65},
	"recvfrom":          {45, 207},
	"recvmmsg":          {299, 243},
	"recvmsg":           {47, 212},
	"restart_syscall":   {219, 128},
	"rseq":              {334, 293},
	"rt_sigaction":      {13, 134},
	"rt_sigpending":     {127, 136},
	"rt_sigprocmask":    {14, 135},
	"rt_sigreturn":      {15, 139},
	"rt_sigsuspend":     {130, 133},
	"rt_sigtimedwait":   {128, 137},
	"rt_tgsigqueueinfo": {297, 240},
	"sched_getaffinity": {204, 123},
	"sched_setaffinity": {203, 122},
	"sched_yield":       {24, 124},
	"sendfile":          {40, 71},
	"sendmmsg":          {307, 269},
	"sendmsg":           {46, 211},
	"sendto":            {44, 206},
	"set_mempolicy":     {238, 237},
	"set_robust_list":   {273, 99},
	"set_tid_address":   {218, 96},
	"setns":             {308, 268},
	"setrlimit":         {160, 164},
	"setsockopt":        {54, 208},
	"shutdown":          {48, 210},
	"sigaltstack":       {131, 132},
	"signalfd4":         {289, 74},
	"socket":            {41, 198},
	"socketpair":        {53, 199},
	"splice":            {275, 76},
	"stat":              {4, -1},
	"statfs":            {137, 43},
	"statx":             {332, 291},
	"sysinfo":           {99, 179},
	"tgkill":            {234, 131},
	"timer_create":      {222, 107},
	"timer_delete":      {226, 111},
	"timer_settime":     {223, 110},
	"timerfd_create":    {283, 85},
	"timerfd_settime":   {286, 86},
	"umask":             {95, 166},
	"uname":             {63, 160},
	"unlink":            {87, -1},
	"unlinkat":          {263, 35},
	"unshare":           {272, 97},
	"userfaultfd":       {323, 282},
	"wait4":             {61, 260},
	"waitid":            {247, 95},
	"write":             {1, 64},
	"writev":            {20, 66},
}

// Calls are the names of all calls that a table may use, sorted.
func Calls() []string { return slices.Sorted(maps.Keys(numbers)) }
