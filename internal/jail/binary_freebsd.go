package jail

import (
	"debug/elf"
	"strings"
)

// hardened says how a program was built: position-independent, so that ASLR
// can move it; with the tables of the dynamic linker made read-only (RELRO), all
// of them where it binds at start (BIND_NOW).
func hardened(path string) (ok bool, detail string) {
	f, err := elf.Open(path)
	if err != nil {
		return false, err.Error()
	}
	defer f.Close()
	has := []string{}
	missing := []string{}
	note := func(on bool, name string) {
		if on {
			has = append(has, name)
		} else {
			missing = append(missing, name)
		}
	}
	relro := false
	for _, p := range f.Progs {
		relro = relro || p.Type == elf.PT_GNU_RELRO
	}
	flags, _ := f.DynValue(elf.DT_FLAGS)
	flags1, _ := f.DynValue(elf.DT_FLAGS_1)
	now := len(flags) > 0 && elf.DynFlag(flags[0])&elf.DF_BIND_NOW != 0 || len(flags1) > 0 && elf.DynFlag1(flags1[0])&elf.DF_1_NOW != 0
	note(f.Type == elf.ET_DYN, "PIE")
	note(relro, "RELRO")
	note(now, "BIND_NOW")
	detail = path + ": " + strings.Join(has, ", ")
	if len(missing) > 0 {
		detail += "; not " + strings.Join(missing, ", ")
	}
	return f.Type == elf.ET_DYN && relro, detail
}
