package freebsdjail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/jailparam"
	"skep/internal/kinfo"
)

// Parameters reads every parameter of a jail that this kernel knows, modules'
// own too, by its name: what none of us set is among them. The values are as
// jailparam.Param.Value writes them.
func Parameters(jid int) (map[string]string, error) {
	known, err := knownParameters()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, k := range known {
		v, err := parameter(jid, k)
		switch {
		case errors.Is(err, unix.ENOENT):
			return nil, ErrNoPrison
		case errors.Is(err, unix.EINVAL), errors.Is(err, errNotUnderstood):
			continue // described, and not to be had: of a module that answers otherwise
		case err != nil:
			return nil, fmt.Errorf("jail_get(2) of %s of jail %d: %w", k.Param(), jid, err)
		}
		all[k.Param()] = v
	}
	return all, nil
}

// knownParameters asks the kernel which parameters there are.
func knownParameters() ([]jailparam.Known, error) {
	nodes, err := kinfo.Walk(strings.TrimSuffix(jailparam.Prefix, "."))
	if err != nil {
		return nil, err
	}
	var all []jailparam.Known
	for _, n := range nodes {
		k := jailparam.Known{Name: n.Name, Kind: n.Kind, Format: n.Format}
		v, err := n.Value(64)
		if err != nil {
			continue // a node without a value
		}
		// A string's length is written in words, a structure's in binary
		// (sysctl_jail_param in sys/kern/kern_jail.c).
		if strings.HasPrefix(n.Format, "A") {
			k.Length, _ = strconv.Atoi(unix.ByteSliceToString(v))
		} else if len(v) >= 8 {
			k.Length = int(binary.NativeEndian.Uint64(v))
		}
		all = append(all, k)
	}
	if len(all) == 0 {
		return nil, errors.New("this kernel describes no jail parameters")
	}
	return all, nil
}

var errNotUnderstood = errors.New("no value that is understood here")

// maxValue bounds a value: a jail may have hundreds of addresses.
const maxValue = 64 << 10

func parameter(jid int, k jailparam.Known) (string, error) {
	id := binary.NativeEndian.AppendUint32(nil, uint32(jid))
	if k.Param() == "jid" {
		return strconv.Itoa(jid), nil
	}
	parts := func(value []byte) [][]byte {
		return [][]byte{[]byte("jid\x00"), id, []byte(k.Param() + "\x00"), value}
	}
	size := k.Size()
	if k.Array() {
		// Asked without a buffer, the kernel says how long the list is.
		lens, errno := lengths(unix.SYS_JAIL_GET, parts(nil))
		if errno != 0 {
			return "", errno
		}
		if size = lens[3]; size == 0 {
			return "", nil
		}
	}
	if size <= 0 || size > maxValue {
		return "", errNotUnderstood
	}
	value := make([]byte, size)
	lens, errno := lengths(unix.SYS_JAIL_GET, parts(value))
	if errno != 0 {
		return "", errno
	}
	return k.Decode(value[:min(size, lens[3])]), nil
}
