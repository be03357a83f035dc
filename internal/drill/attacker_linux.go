package drill

import _ "embed"

//go:generate nasm -f bin -Werror -o attacker_linux.amd64 attacker_linux.asm

//go:embed attacker_linux.amd64
var attackerAMD64 []byte

// attackers are the programs by GOARCH.
var attackers = map[string][]byte{"amd64": attackerAMD64}
