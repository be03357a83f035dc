package store

import "syscall"

// consoleLock: a worker serves the console to everybody who joins.
const consoleLock = syscall.LOCK_SH
