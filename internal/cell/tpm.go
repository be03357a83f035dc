package cell

// TPM is a trusted platform module, version 2.0, of the guest's own.
type TPM struct {
	Model string `json:"model"` // "crb" (default) or "tis": by which registers the guest speaks with it
}

var tpmBlock = block[TPM]{
	attrs: []attr[TPM]{
		at("model", choice("crb", "tis"), func(t *TPM) *string { return &t.Model }),
	},
	fresh: func() TPM { return TPM{Model: "crb"} },
}

// checkSecureBoot reports Secure Boot without the firmware that does it.
func checkSecureBoot(r *reader, c *Cell) {
	const at = "secure_boot"
	if !c.SecureBoot || r.bad(at) || r.bad("boot") || c.Boot.Kind == BootUEFI {
		return
	}
	r.at(at, "secure_boot", wrong(`only valid with boot = "uefi"`).but("leave it out, or let the firmware boot the guest"))
}
