package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/plan"
	"skep/internal/reader"
	"skep/internal/tool"
)

// Import is one import.
type Import struct {
	Name, File string
	Format     string    // "" finds it out
	MaxSize    cell.Size // of what a guest sees; 0 is DefaultMax
	Facts      host.Facts
	Say        func(what string, done float64) // progress
	// Later is called for an image that is so large that its digest is not waited for, with the file that it was
	// imported from, which is closed afterwards.
	Later func(name string, source *os.File)
	asked bool // for MaxSize
}

// DefaultMax bounds the disk of an image unless the caller says otherwise: an image of a kilobyte may
// claim to be an exabyte.
const DefaultMax = 2 * cell.TiB

// longest is how long a conversion may take.
const longest = 6 * time.Hour

// Import imports a file: it is read in a jail, unless it is raw, which nobody needs to understand.
func (s *Store) Import(ctx context.Context, in Import) (Image, error) {
	if err := ValidName(in.Name); err != nil {
		return Image{}, err
	}
	asked := in.MaxSize > 0
	if !asked {
		in.MaxSize = DefaultMax
	}
	if _, err := s.Get(in.Name); err == nil {
		return Image{}, fault.New(fault.Input, "choose another name, or skep image rm "+in.Name, "import %s: there is an image %s already", in.File, in.Name)
	}
	src, err := openSource(in.File)
	if err != nil {
		return Image{}, err
	}
	defer src.Close()
	format := in.Format
	if format == "" {
		if format, err = formatOf(src); err != nil {
			return Image{}, fault.Wrap(fault.Input, err, "", "read %s", in.File)
		}
	}
	if !slices.Contains(Formats, format) {
		return Image{}, fault.New(fault.Input, "there are: "+strings.Join(Formats, ", "), "read the format %q", format)
	}
	from := Source{Name: filepath.Base(in.File), Format: format}
	if info, err := src.Stat(); err == nil {
		from.Size = info.Size()
	}
	tmp, err := s.temporary()
	if err != nil {
		return Image{}, err
	}
	defer func() { os.Remove(tmp.Name()); tmp.Close() }()
	in.asked = asked
	if err = s.convert(ctx, in, format, src, tmp); err != nil {
		return Image{}, err
	}
	i, err := s.keep(in.Name, from, tmp, src, in.Say)
	tmp.Close() // before somebody else has it written to the disk, for which closing it would wait
	if err == nil && i.Digest == "" && in.Later != nil {
		in.Later(i.Name, src)
	}
	return i, err
}

func openSource(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fault.Wrap(fault.Input, err, "", "read %s", path)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err == nil && info.Size() == 0 {
		err = errors.New("it is empty")
	}
	if err == nil {
		err = disk.Lock(f, false) // nobody writes to it meanwhile
	}
	if err != nil {
		f.Close()
		return nil, fault.Wrap(fault.Input, err, "", "read %s", path)
	}
	return f, nil
}

// temporary is a file of an import that goes on: it is locked as long as it does.
func (s *Store) temporary() (*os.File, error) {
	l, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer l.Close()
	s.clear()
	f, err := os.CreateTemp(s.at("tmp"), "import.*")
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "df "+s.at()+" shows how full it is", "import into %s", s.at())
	}
	return f, nil
}

// clear removes what imports that were killed have left: files that nobody has locked, the file of a name
// without a description, and blobs without a name. The caller holds the lock of the store.
func (s *Store) clear() {
	entries, _ := os.ReadDir(s.at("tmp"))
	for _, e := range entries {
		path := s.at("tmp", e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.Remove(path)
		}
		f.Close()
	}
	entries, _ = os.ReadDir(s.at("names"))
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), ".raw"); is {
			if _, err := os.Lstat(s.about(name)); errors.Is(err, fs.ErrNotExist) {
				os.Remove(s.File(name))
			}
		}
	}
	entries, _ = os.ReadDir(s.at("blobs", "sha256"))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 1 {
			os.Remove(s.at("blobs", "sha256", e.Name()))
		}
	}
}

// convert writes what a guest sees of a file into an empty one.
func (s *Store) convert(ctx context.Context, in Import, format string, src, dst *os.File) error {
	if inner, packing, packed := cutPacking(format); packed {
		if err := unpack(ctx, in, packing, src, dst); err != nil {
			return err
		}
		if inner == "raw" {
			found, err := formatOf(dst)
			if err == nil && found != "raw" {
				err = fmt.Errorf("what is packed in it is %s", found)
			}
			if err != nil {
				return fault.Wrap(fault.Input, err, "unpack it and import that", "import %s", in.File)
			}
		}
		return s.whole(in, dst)
	}
	if format == "raw" {
		info, err := src.Stat()
		if err == nil && info.Size() > int64(in.MaxSize) {
			return tooLarge(in, cell.Size(info.Size()))
		}
		if err == nil && disk.Share(dst, src) != nil {
			err = reader.Host{Facts: in.Facts}.Copy(ctx, dst, src, info.Size(), func(done float64) { in.say("copying", done) })
		}
		if err != nil {
			return noRoom(s, in, err)
		}
		return s.whole(in, dst)
	}
	return s.qemuImg(ctx, in, format, src, dst)
}

func tooLarge(in Import, size cell.Size) error {
	return fault.New(fault.Input, "--max-size "+size.String()+" takes it all the same", "import %s: it is a disk of %s, and at most %s are taken", in.File, size, in.MaxSize)
}

func noRoom(s *Store, in Import, err error) error {
	return fault.Wrap(fault.Host, err, "df "+s.at()+" shows how full it is", "import %s", in.File)
}

// whole refuses what is not a whole number of sectors.
func (s *Store) whole(in Import, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 || info.Size()%512 != 0 {
		return fault.New(fault.Input, "a disk is made of 512-byte sectors: fetch it again, or round its size up",
			"import %s: it has %d bytes, not a whole number of sectors", in.File, info.Size())
	}
	return nil
}

// qemuImg has qemu-img read the image, in a jail that holds this file and the empty one, and nothing else.
func (s *Store) qemuImg(ctx context.Context, in Import, format string, src, dst *os.File) error {
	program, err := exec.LookPath("qemu-img")
	if err != nil {
		return fault.New(fault.Host, in.Facts.Install("qemu-img")+"; raw images need none", "import %s: qemu-img is not installed", in.File)
	}
	opts := "driver=" + drivers[format] + ",file.driver=file,file.locking=off,file.filename=" + tool.InJail("in")
	files := []tool.File{{Name: "in", File: src}}
	args := []string{"convert", "-p", "--image-opts", opts, "-O", "raw", tool.InJail("out")}
	if size := disk.SizeIn(&plan.Disk{Format: cell.FormatQcow2}, src); format == "qcow2" && size > 0 && size%512 == 0 && size <= in.MaxSize {
		// With the size that its header says, qemu-img need not empty the file first: ext4 writes one that was emptied
		// out as it is closed, all of it at once. Clusters are copied in the kernel, or shared where it can.
		if err := dst.Truncate(int64(size)); err != nil {
			return noRoom(s, in, err)
		}
		args = slices.Insert(args, 1, "-n", "--target-is-zero", "-C")
	}
	// It is looked at beside the conversion, which is stopped where that finds something: both have a jail that
	// holds whatever an image can do, and no file of it is kept before both went well.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	checked := make(chan error, 1)
	go func() {
		err := s.look(ctx, in, format, program, opts, files)
		if err != nil {
			stop()
		}
		checked <- err
	}()
	out, err := tool.Run(ctx, in.Facts, tool.Job{Tool: tool.Program(program),
		Args:     args,
		Files:    append(slices.Clone(files), tool.File{Name: "out", File: dst}),
		Limits:   tool.Limits{Memory: 2 << 30, Wall: longest, FileSize: int64(in.MaxSize)},
		Progress: func(done float64) { in.say("converting", done) }})
	if cerr := <-checked; cerr != nil {
		return cerr
	}
	if err != nil {
		return cannotRead(in, format, out, err)
	}
	return s.whole(in, dst)
}

// look sees whether an image is whole, of a size that is taken, and lies on no other file.
func (s *Store) look(ctx context.Context, in Import, format, program, opts string, files []tool.File) error {
	if format == "qcow2" {
		return lookAtQcow2(ctx, in)
	}
	out, err := tool.Run(ctx, in.Facts, tool.Job{Tool: tool.Program(program), Args: []string{"info", "--output=json", "--image-opts", opts},
		Files: files, Limits: tool.Limits{Memory: 1 << 30, Wall: time.Minute}})
	var info struct {
		Size    uint64 `json:"virtual-size"`
		Backing string `json:"backing-filename"`
	}
	if err == nil {
		err = json.Unmarshal(out.Bytes, &info)
	}
	switch {
	case err != nil:
		return cannotRead(in, format, out, err)
	case info.Backing != "":
		return fault.New(fault.Input, "qemu-img convert makes one image of both", "import %s: it lies on another file, %s", in.File, cell.Printable(info.Backing))
	case info.Size == 0:
		return fault.New(fault.Input, "", "import %s: it is a disk of 0 bytes", in.File)
	}
	return fits(in, info.Size)
}

// lookAtQcow2 is look for the format of most images: its header says the same at fixed places, and a reader in a
// jail goes through its tables.
func lookAtQcow2(ctx context.Context, in Import) error {
	f, err := openSource(in.File) // the conversion reads by the other
	if err != nil {
		return err
	}
	defer f.Close()
	fit := func() error { return fits(in, uint64(disk.SizeIn(&plan.Disk{Format: cell.FormatQcow2}, f))) }
	return disk.CheckQcow2(in.File, f, func(f *os.File, size int64) (uint64, bool, error) {
		if err := fit(); err != nil {
			return 0, false, err
		}
		return reader.Host{Facts: in.Facts}.Cut(ctx, f, size)
	})
}

// fits says whether a disk of that size is taken.
func fits(in Import, size uint64) error {
	if size > uint64(in.MaxSize) {
		return tooLarge(in, cell.Size(min(size, 1<<62)))
	}
	return nil
}

func cannotRead(in Import, format string, out tool.Output, err error) error {
	if strings.Contains(out.Words, "No space left") {
		return fault.Wrap(fault.Host, syscall.ENOSPC, "df shows how full it is", "import %s", in.File)
	}
	if out.Words != "" && !errors.Is(err, tool.ErrBound) {
		err = fmt.Errorf("%w: %s", err, out.Words)
	}
	code := fault.Input
	if fault.CodeOf(err) == fault.Jail {
		code = fault.Jail
	}
	hint := fault.HintOf(err)
	if strings.Contains(err.Error(), "unpacks to more than") {
		hint = "--max-size says how large a disk is taken all the same"
	}
	return fault.Wrap(code, err, hint, "read %s as %s", in.File, format)
}

func (in Import) say(what string, done float64) {
	if in.Say != nil {
		in.Say(what, done)
	}
}

// unpack has a reader unpack a file, in its jail.
func unpack(ctx context.Context, in Import, packing string, src, dst *os.File) error {
	args, err := reader.UnpackJob{Packing: packing, Max: int64(in.MaxSize), Asked: in.asked}.Args()
	if err != nil {
		return err
	}
	out, err := tool.Run(ctx, in.Facts, tool.Job{Tool: tool.Reader(reader.Unpack), Args: args,
		Files:    []tool.File{{Name: "in", File: src}, {Name: "out", File: dst}},
		Limits:   tool.Limits{Memory: 1 << 30, Wall: longest, FileSize: int64(in.MaxSize)},
		Progress: func(done float64) { in.say("unpacking", done) }})
	if err != nil {
		return cannotRead(in, "raw."+packing, out, err)
	}
	return nil
}

// read begins at the start of a file, whose descriptor somebody has moved.
func head(f *os.File, at int64, n int) string {
	b := make([]byte, n)
	if at < 0 {
		size, err := f.Seek(0, io.SeekEnd)
		if err != nil || size < -at {
			return ""
		}
		at += size
	}
	n, _ = f.ReadAt(b, at)
	return string(b[:n])
}
