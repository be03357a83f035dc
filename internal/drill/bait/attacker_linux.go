package bait

import _ "embed"

//go:generate nasm -f bin -Werror -o attacker_linux.amd64 attacker_linux.asm

//go:embed attacker_linux.amd64
var attackerAMD64 []byte

// Attackers are the programs by GOARCH.
var Attackers = map[string][]byte{"amd64": attackerAMD64}
