package devfs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"syscall"
)

// List reads the nodes of a /dev. It opens directories and nothing else, and
// takes the kind of every entry from the directory itself: to stat(2) the name
// of a device can make the device, as nmdm(4) does for the pair that is just
// being asked for (nmdm_clone in sys/dev/nmdm/nmdm.c).
//
// The driver's type is not in a directory; it is guessed from the name.
func List(dev string) ([]Node, error) {
	root, err := os.OpenRoot(dev)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var nodes []Node
	var walk func(dir string) error
	walk = func(dir string) error {
		// A directory that became a link since it was listed is not followed.
		f, err := root.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		entries, err := f.ReadDir(-1)
		f.Close()
		if err != nil {
			return err
		}
		for _, e := range entries {
			n := Node{Path: path.Join(dir, e.Name())}
			switch t := e.Type(); {
			case t == fs.ModeDir:
				n.Kind = Directory
			case t == fs.ModeSymlink:
				n.Kind = Symlink
			case t&fs.ModeDevice != 0:
				n.Type = GuessType(n.Path)
			default:
				// Not devfs, then; still a thing that the jail can see.
				n.Kind = Device
			}
			nodes = append(nodes, n)
			if n.Kind == Directory {
				if err := walk(n.Path); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := walk("."); err != nil {
		return nil, fmt.Errorf("list %s: %w", dev, err)
	}
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].Path < nodes[j].Path })
	return nodes, nil
}

// GuessType is the type that the driver of a well-known node declares: GEOM
// and ZFS volumes disk, mem(4) mem, tty(4) tty, sa(4) tape.
func GuessType(node string) Type {
	for _, row := range []struct {
		t        Type
		patterns []string
	}{
		{Mem, []string{"mem", "kmem"}},
		{Tape, []string{"sa[0-9]*", "nsa[0-9]*", "esa[0-9]*"}},
		{TTY, []string{"tty[a-zA-Z]*", "cua[a-zA-Z]*", "nmdm*", "pts/*", "console"}},
		{Disk, []string{"ada[0-9]*", "da[0-9]*", "nda[0-9]*", "nvd[0-9]*", "vtbd[0-9]*", "mmcsd[0-9]*", "md[0-9]*", "cd[0-9]*",
			"gpt/*", "gptid/*", "ufs/*", "ufsid/*", "diskid/*", "label/*", "iso9660/*", "msdosfs/*", "mirror/*", "mfid[0-9]*", "*.eli"}},
	} {
		for _, p := range row.patterns {
			if match(p, node) {
				return row.t
			}
		}
	}
	if len(node) > 5 && node[:5] == "zvol/" {
		return Disk
	}
	return 0
}
