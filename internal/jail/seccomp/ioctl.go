package seccomp

// Requests of ioctl(2), as the kernel's headers have them. The kernel looks at 32 bits of a request.

// tapRun: offloads and header size follow the guest's driver.
var tapRun = []named{
	{"TUNSETOFFLOAD", 0x400454d0},
	{"TUNSETVNETHDRSZ", 0x400454d8},
	{"TUNGETVNETHDRSZ", 0x800454d7},
}

// diskRun: what a guest gives back and has zeroed, where its disk is a block device: of a file that is
// fallocate(2). Whoever may write to the disk could write zeroes there himself.
var diskRun = []named{
	{"BLKDISCARD", 0x00001277},
	{"BLKZEROOUT", 0x0000127f},
}

// debugRun: a debugger stops the guest where it likes. struct kvm_guest_debug has 72 bytes on amd64.
var debugRun = []named{{"KVM_SET_GUEST_DEBUG", 0x4048ae9b}}

// kvmRun: the guest runs, is reset, is paused; the first is the one that counts, so it stands first.
var kvmRun = []named{
	{"KVM_RUN", 0x0000ae80},
	{"KVM_IRQ_LINE_STATUS", 0xc008ae67},
	{"KVM_IRQ_LINE", 0x4008ae61},
	{"KVM_SIGNAL_MSI", 0x4020aea5},
	{"KVM_INTERRUPT", 0x4004ae86},
	{"KVM_NMI", 0x0000ae9a},
	{"KVM_SMI", 0x0000aeb7},
	{"KVM_IOEVENTFD", 0x4040ae79},
	{"KVM_IRQFD", 0x4020ae76},
	{"KVM_SET_GSI_ROUTING", 0x4008ae6a},
	{"KVM_SET_USER_MEMORY_REGION", 0x4020ae46},
	{"KVM_GET_DIRTY_LOG", 0x4010ae42},
	{"KVM_CLEAR_DIRTY_LOG", 0xc018aec0},
	{"KVM_REGISTER_COALESCED_MMIO", 0x4010ae67},
	{"KVM_UNREGISTER_COALESCED_MMIO", 0x4010ae68},
	{"KVM_GET_REGS", 0x8090ae81},
	{"KVM_SET_REGS", 0x4090ae82},
	{"KVM_GET_SREGS", 0x8138ae83},
	{"KVM_SET_SREGS", 0x4138ae84},
	{"KVM_GET_SREGS2", 0x8140aecc},
	{"KVM_SET_SREGS2", 0x4140aecd},
	{"KVM_GET_FPU", 0x81a0ae8c},
	{"KVM_SET_FPU", 0x41a0ae8d},
	{"KVM_GET_XSAVE", 0x9000aea4},
	{"KVM_GET_XSAVE2", 0x9000aecf},
	{"KVM_SET_XSAVE", 0x5000aea5},
	{"KVM_GET_XCRS", 0x8188aea6},
	{"KVM_SET_XCRS", 0x4188aea7},
	{"KVM_GET_MSRS", 0xc008ae88},
	{"KVM_SET_MSRS", 0x4008ae89},
	{"KVM_GET_LAPIC", 0x8400ae8e},
	{"KVM_SET_LAPIC", 0x4400ae8f},
	{"KVM_GET_IRQCHIP", 0xc208ae62},
	{"KVM_SET_IRQCHIP", 0x8208ae63},
	{"KVM_GET_PIT2", 0x8070ae9f},
	{"KVM_SET_PIT2", 0x4070aea0},
	{"KVM_GET_CLOCK", 0x8030ae7c},
	{"KVM_SET_CLOCK", 0x4030ae7b},
	{"KVM_KVMCLOCK_CTRL", 0x0000aead},
	{"KVM_GET_MP_STATE", 0x8004ae98},
	{"KVM_SET_MP_STATE", 0x4004ae99},
	{"KVM_GET_VCPU_EVENTS", 0x8040ae9f},
	{"KVM_SET_VCPU_EVENTS", 0x4040aea0},
	{"KVM_GET_DEBUGREGS", 0x8080aea1},
	{"KVM_SET_DEBUGREGS", 0x4080aea2},
	{"KVM_GET_NESTED_STATE", 0xc080aebe},
	{"KVM_SET_NESTED_STATE", 0x4080aebf},
	{"KVM_TPR_ACCESS_REPORTING", 0xc028ae92},
	{"KVM_SET_VAPIC_ADDR", 0x4008ae93},
	{"KVM_CHECK_EXTENSION", 0x0000ae03},
}

// bannedRequests are those of the table of never. All others that a start may make of a descriptor
// change nothing but what the descriptor is for.
var bannedRequests = []named{
	{"TIOCSTI", 0x5412}, {"TIOCLINUX", 0x541c}, {"TIOCSCTTY", 0x540e}, {"TIOCSETD", 0x5423}, {"TIOCCONS", 0x541d},
	{"TUNSETIFF", 0x400454ca}, {"TUNSETPERSIST", 0x400454cb}, {"TUNSETOWNER", 0x400454cc}, {"TUNSETLINK", 0x400454cd},
	{"TUNSETGROUP", 0x400454ce}, {"TUNATTACHFILTER", 0x401054d5}, {"TUNSETIFINDEX", 0x400454da}, {"TUNSETQUEUE", 0x400454d9},
	{"TUNSETSTEERINGEBPF", 0x800454e0}, {"TUNSETFILTEREBPF", 0x800454e1},
	{"SG_IO", 0x2285}, {"SCSI_IOCTL_SEND_COMMAND", 1}, {"BLKTRACESETUP", 0xc0481273}, {"BLKRRPART", 0x125f}, {"BLKPG", 0x1269},
	{"FIFREEZE", 0xc0045877}, {"FS_IOC_ENABLE_VERITY", 0x40806685},
	{"KVM_MEMORY_ENCRYPT_OP", 0xc008aeba}, {"KVM_XEN_HVM_CONFIG", 0x4038ae7a},
	{"SECCOMP_IOCTL_NOTIF_RECV", 0xc0502100}, {"SECCOMP_IOCTL_NOTIF_SEND", 0xc0182101}, {"SECCOMP_IOCTL_NOTIF_ADDFD", 0x40182103},
}
