package linuxjail

// sysOpen: there is no old open(2) here.
const sysOpen = -1
