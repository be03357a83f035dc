package input

import (
	"maps"
	"slices"
	"strings"
)

// keysyms are the keys by QEMU's names, and what an X server with a US keyboard calls them: bhyve takes
// those over VNC and finds the place on the keyboard by them.
var keysyms = map[string]uint32{
	"esc": 0xff1b, "backspace": 0xff08, "tab": 0xff09, "ret": 0xff0d, "spc": ' ',
	"grave_accent": '`', "minus": '-', "equal": '=', "bracket_left": '[', "bracket_right": ']', "backslash": '\\',
	"semicolon": ';', "apostrophe": '\'', "comma": ',', "dot": '.', "slash": '/', "less": '<',
	"shift": 0xffe1, "shift_r": 0xffe2, "ctrl": 0xffe3, "ctrl_r": 0xffe4, "alt": 0xffe9, "alt_r": 0xffea,
	"meta_l": 0xffeb, "meta_r": 0xffec, "menu": 0xff67, "caps_lock": 0xffe5, "num_lock": 0xff7f, "scroll_lock": 0xff14,
	"insert": 0xff63, "delete": 0xffff, "home": 0xff50, "end": 0xff57, "pgup": 0xff55, "pgdn": 0xff56,
	"left": 0xff51, "up": 0xff52, "right": 0xff53, "down": 0xff54, "print": 0xff61, "pause": 0xff13,
	"f1": 0xffbe, "f2": 0xffbf, "f3": 0xffc0, "f4": 0xffc1, "f5": 0xffc2, "f6": 0xffc3,
	"f7": 0xffc4, "f8": 0xffc5, "f9": 0xffc6, "f10": 0xffc7, "f11": 0xffc8, "f12": 0xffc9,
	"0": '0', "1": '1', "2": '2', "3": '3', "4": '4', "5": '5', "6": '6', "7": '7', "8": '8', "9": '9',
	"a": 'a', "b": 'b', "c": 'c', "d": 'd', "e": 'e', "f": 'f', "g": 'g', "h": 'h', "i": 'i', "j": 'j', "k": 'k', "l": 'l',
	"m": 'm', "n": 'n', "o": 'o', "p": 'p', "q": 'q', "r": 'r', "s": 's', "t": 't', "u": 'u', "v": 'v', "w": 'w', "x": 'x',
	"y": 'y', "z": 'z',
}

// aliases are other names that people have for keys.
var aliases = map[string]string{
	"escape": "esc", "enter": "ret", "return": "ret", "space": "spc", "control": "ctrl", "option": "alt", "altgr": "alt_r",
	"win": "meta_l", "super": "meta_l", "meta": "meta_l", "cmd": "meta_l", "del": "delete", "ins": "insert", "bs": "backspace",
	"pageup": "pgup", "pagedown": "pgdn", "printscreen": "print", "break": "pause", "capslock": "caps_lock", "grave": "grave_accent",
	"period": "dot", "`": "grave_accent", "=": "equal", "[": "bracket_left", "]": "bracket_right", "\\": "backslash",
	";": "semicolon", "'": "apostrophe", ",": "comma", ".": "dot", "/": "slash", "<": "less",
}

func keyNamed(name string) (string, bool) {
	if other, ok := aliases[name]; ok {
		name = other
	}
	_, ok := keysyms[name]
	return name, ok && name != ""
}

// Keysym is what a key is called over VNC.
func Keysym(key string) uint32 { return keysyms[key] }

// Keys are the names of all keys.
func Keys() []string { return slices.Sorted(maps.Keys(keysyms)) }

// layout says which characters the keys give: for each row of keys by itself, with shift and with AltGr.
// A blank is no character. The rows are those of an ISO keyboard; a US one lacks the key left of z.
type layout struct {
	plain, shift, altgr [4]string
	dead                string // characters that come with the space after their key
}

// rows are the keys of a layout's rows.
var rows = [4]string{
	"grave_accent 1 2 3 4 5 6 7 8 9 0 minus equal",
	"q w e r t y u i o p bracket_left bracket_right backslash",
	"a s d f g h j k l semicolon apostrophe",
	"less z x c v b n m comma dot slash",
}

// layouts are the tables, as X has them.
var layouts = map[string]layout{
	"us": {
		plain: [4]string{"`1234567890-=", `qwertyuiop[]\`, "asdfghjkl;'", " zxcvbnm,./"},
		shift: [4]string{"~!@#$%^&*()_+", "QWERTYUIOP{}|", `ASDFGHJKL:"`, " ZXCVBNM<>?"},
	},
	"uk": {
		plain: [4]string{"`1234567890-=", "qwertyuiop[]#", "asdfghjkl;'", `\zxcvbnm,./`},
		shift: [4]string{`¬!"£$%^&*()_+`, "QWERTYUIOP{}~", "ASDFGHJKL:@", "|ZXCVBNM<>?"},
		altgr: [4]string{"¦   €"},
	},
	"de": {
		plain: [4]string{"^1234567890ß´", "qwertzuiopü+#", "asdfghjklöä", "<yxcvbnm,.-"},
		shift: [4]string{"°!\"§$%&/()=?`", "QWERTZUIOPÜ*'", "ASDFGHJKLÖÄ", ">YXCVBNM;:_"},
		altgr: [4]string{`  ²³   {[]}\`, "@ €        ~", "", "|      µ"},
		dead:  "^´`",
	},
	"fr": {
		plain: [4]string{`²&é"'(-è_çà)=`, "azertyuiop $*", "qsdfghjklmù", "<wxcvbn,;:!"},
		shift: [4]string{" 1234567890°+", "AZERTYUIOP¨£µ", "QSDFGHJKLM%", ">WXCVBN?./§"},
		altgr: [4]string{"  ~#{[|`\\^@]}", "  €"},
		dead:  "¨",
	},
	"es": {
		plain: [4]string{"º1234567890'¡", "qwertyuiop`+ç", "asdfghjklñ´", "<zxcvbnm,.-"},
		shift: [4]string{`ª!"·$%&/()=?¿`, "QWERTYUIOP^*Ç", "ASDFGHJKLÑ¨", ">ZXCVBNM;:_"},
		altgr: [4]string{`\|@#~ ¬`, "  €       []}", "          {"},
		dead:  "`^´¨",
	},
}

// Layouts are the names of the layouts.
func Layouts() []string { return slices.Sorted(maps.Keys(layouts)) }

// stroke is how a character is typed.
type stroke struct {
	key, with string // with is a key that is held meanwhile, or ""
	dead      bool   // it comes with the space that follows
}

func (s stroke) steps() []Step {
	steps := []Step{{Key: s.key, Down: true}, {Key: s.key, Rest: true}}
	if s.with == "" {
		return steps
	}
	steps[1].Rest = false
	return []Step{{Key: s.with, Down: true}, steps[0], steps[1], {Key: s.with, Rest: true}}
}

// strokes are all characters of a layout. One that is there twice is typed without a second key, or
// without a dead one, where it can be.
func (l layout) strokes() map[rune]stroke {
	all := map[rune]stroke{' ': {key: "spc"}, '\n': {key: "ret"}, '\t': {key: "tab"}}
	for _, level := range []struct {
		rows [4]string
		with string
	}{{l.plain, ""}, {l.shift, "shift"}, {l.altgr, "alt_r"}} {
		for i, row := range level.rows {
			keys := strings.Fields(rows[i])
			for at, r := range []rune(row) {
				s := stroke{keys[at], level.with, strings.ContainsRune(l.dead, r)}
				if had, ok := all[r]; r != ' ' && (!ok || had.dead && !s.dead) {
					all[r] = s
				}
			}
		}
	}
	return all
}
