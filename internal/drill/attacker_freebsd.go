package drill

import _ "embed"

//go:generate nasm -f bin -Werror -o attacker_freebsd.amd64 attacker_freebsd.asm

//go:embed attacker_freebsd.amd64
var attackerAMD64 []byte

// attackers are the programs by GOARCH.
var attackers = map[string][]byte{"amd64": attackerAMD64}
