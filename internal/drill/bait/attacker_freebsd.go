package bait

import _ "embed"

//go:generate nasm -f bin -Werror -o attacker_freebsd.amd64 attacker_freebsd.asm

//go:embed attacker_freebsd.amd64
var attackerAMD64 []byte

// Attackers are the programs by GOARCH.
var Attackers = map[string][]byte{"amd64": attackerAMD64}
