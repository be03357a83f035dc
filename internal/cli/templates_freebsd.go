package cli

// haveTemplates: the hypervisor of this host can save a guest.
const haveTemplates = false
