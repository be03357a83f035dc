package iso

import "errors"

// image is the layout: system area, descriptors, path tables, the directories of both trees, files.
type image struct {
	volume string
	root   *node
	dirs   [2][]*node // of the standard's tree and of Joliet's, in the order of their path tables
	tables [2]tables
	files  []*node
	end    uint32 // sectors
}

// tables are the two path tables of a tree: one with the little end first, one with the big end.
type tables struct {
	size        uint32
	little, big uint32 // where they begin
}

// A system is one of the two trees that an image has of the same files.
type system int

const (
	standard system = iota // with Rock Ridge
	joliet
)

// The sectors of the descriptors.
const (
	primaryAt = 16 + iota
	jolietAt
	terminatorAt
	firstFree
)

// layOut gives everything its place.
func layOut(volume string, root *node) (*image, error) {
	im := &image{volume: volume, root: root}
	for _, d := range root.walk() {
		d.nameKids()
	}
	at := uint32(firstFree)
	take := func(bytes int64) uint32 {
		first := at
		at += sectors(bytes)
		return first
	}
	for _, s := range []system{standard, joliet} {
		im.dirs[s] = s.dirs(root)
		for i, d := range im.dirs[s] {
			d.in[s].number = i + 1
		}
		size := im.pathTableSize(s)
		im.tables[s] = tables{uint32(size), take(size), take(size)}
	}
	for _, s := range []system{standard, joliet} {
		for _, d := range im.dirs[s] {
			d.in[s].size = s.recordsSize(d)
			d.in[s].at = take(d.in[s].size)
			if s == standard {
				d.continuations(at)
				take(int64(len(d.continued)))
			}
		}
	}
	total := int64(at)
	for _, d := range im.dirs[standard] {
		for _, k := range d.kids {
			if k.dir {
				continue
			}
			if total += int64(sectors(k.file.Size)); total*sector > MaxImage {
				return nil, errors.New("all files together are larger than 1 TiB")
			}
			place := extent{at: take(k.file.Size), size: k.file.Size}
			k.in[standard], k.in[joliet] = place, place
			im.files = append(im.files, k)
		}
	}
	im.end = at
	return im, nil
}

func sectors(bytes int64) uint32 { return uint32((bytes + sector - 1) / sector) }

// identifier is the name that a tree has for a node.
func (s system) identifier(n *node) []byte {
	if s == joliet {
		return n.joliet
	}
	return []byte(n.short)
}

// dirs are the directories as path tables want them: level by level, each behind its parent.
func (s system) dirs(root *node) []*node {
	dirs := []*node{root}
	for i := 0; i < len(dirs); i++ {
		for _, k := range s.sorted(dirs[i]) {
			if k.dir {
				dirs = append(dirs, k)
			}
		}
	}
	return dirs
}

// recordsSize is how long the records of a directory are. None lies across the end of a sector.
func (s system) recordsSize(d *node) (size int64) {
	for _, r := range s.records(d) {
		if left := sector - size%sector; int64(len(r)) > left {
			size += left
		}
		size += int64(len(r))
	}
	return int64(sectors(size)) * sector
}
