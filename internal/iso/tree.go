package iso

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// node is a file or a directory of the image.
type node struct {
	name   string
	parent *node // the root's is itself
	kids   []*node
	byName map[string]*node
	dir    bool
	file   *File

	short  string    // the standard's name
	joliet []byte    // Joliet's, in UTF-16
	in     [2]extent // where each tree has it

	continued []byte // a directory's continuation area of Rock Ridge
	long      chunk  // where a name is that is too long for its record
}

// extent is where something is, how long it is, and of a directory its number in the path table.
type extent struct {
	at     uint32
	size   int64
	number int
}

// chunk is a part of a continuation area.
type chunk struct{ sector, offset, size uint32 }

func (n *node) path() string {
	if n.parent == n || n.parent.parent == n.parent {
		return n.name
	}
	return n.parent.path() + "/" + n.name
}

func (n *node) time() time.Time {
	if n.file != nil && n.file.Time.After(epoch) {
		return n.file.Time.UTC()
	}
	return epoch
}

// epoch is the time of what has none, or an earlier one than FAT could show.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// builder builds the tree of an image.
type builder struct {
	root  *node
	count int
}

// tree is the tree of these files and directories.
func tree(files []File, dirs []string) (*node, error) {
	b := builder{root: &node{dir: true, byName: map[string]*node{}}}
	b.root.parent = b.root
	for _, d := range dirs {
		if _, err := b.add(d, true); err != nil {
			return nil, err
		}
	}
	for i := range files {
		f := &files[i]
		n, err := b.add(f.Path, false)
		if err != nil {
			return nil, err
		}
		if f.Size < 0 || f.Size > MaxFile {
			return nil, &NameError{f.Path, "is larger than 4 GiB, which a file of an ISO image cannot be"}
		}
		n.file = f
	}
	return b.root, nil
}

// add adds one path, and the directories that lead to it.
func (b *builder) add(path string, dir bool) (*node, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	at, names := b.root, strings.Split(path, "/")
	for i, name := range names {
		last := i == len(names)-1
		next := at.byName[name]
		switch {
		case next == nil:
			if b.count++; b.count > MaxEntries {
				return nil, fmt.Errorf("there are more than %d files and directories", MaxEntries)
			}
			next = &node{name: name, parent: at, dir: !last || dir}
			if next.dir {
				next.byName = map[string]*node{}
			}
			at.byName[name] = next
			at.kids = append(at.kids, next)
		case last && !dir, !next.dir:
			return nil, &NameError{path, "is there twice"}
		}
		at = next
	}
	return at, nil
}

// walk visits all directories, each behind its parent.
func (n *node) walk() []*node {
	dirs := []*node{n}
	for i := 0; i < len(dirs); i++ {
		for _, k := range dirs[i].kids {
			if k.dir {
				dirs = append(dirs, k)
			}
		}
	}
	return dirs
}

// sorted are the children of a directory in a tree's order.
func (s system) sorted(d *node) []*node {
	sorted := slices.Clone(d.kids)
	slices.SortFunc(sorted, func(a, b *node) int { return bytes.Compare(s.identifier(a), s.identifier(b)) })
	return sorted
}
