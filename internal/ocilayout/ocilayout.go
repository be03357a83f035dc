// Package ocilayout writes images of the store into OCI image layouts, and takes them from there. It is apart from
// package image, as no cell needs the packages that it is made of.
package ocilayout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"

	"skep/internal/fault"
	"skep/internal/image"
)

// Kinds of what an image is in an OCI image layout: a manifest with one layer, the raw image packed by zstd, and
// what the image is as its configuration.
const (
	KindImage  = "application/vnd.skep.image.v1"
	kindConfig = "application/vnd.skep.image.config.v1+json"
	kindDisk   = "application/vnd.skep.image.disk.v1.raw+zstd"
)

// mostManifest bounds what is read of a manifest or of a configuration.
const mostManifest = 1 << 20

// Save writes images into an OCI image layout, a directory that is made where it is missing, each by its name.
func Save(ctx context.Context, s *image.Store, names []string, dir string, say func(string, float64)) error {
	out, err := oci.New(dir)
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "write to the layout %s", dir)
	}
	for _, name := range names {
		if err := save(ctx, s, name, out, say); err != nil {
			if fault.CodeOf(err) == fault.Input {
				return err
			}
			return fault.Wrap(fault.Host, err, "df "+dir+" shows how full it is", "save the image %s", name)
		}
	}
	return nil
}

func save(ctx context.Context, s *image.Store, name string, out *oci.Store, say func(string, float64)) error {
	i, err := s.Settled(name)
	if err == nil {
		err = s.Check(i)
	}
	if err != nil {
		return err
	}
	packed, desc, err := pack(s, i, say)
	if err != nil {
		return err
	}
	defer packed.Close()
	if err := push(ctx, out, desc, packed); err != nil {
		return err
	}
	text, err := json.Marshal(i)
	if err != nil {
		return err
	}
	config := content.NewDescriptorFromBytes(kindConfig, text)
	if err := push(ctx, out, config, bytes.NewReader(text)); err != nil {
		return err
	}
	manifest, err := oras.PackManifest(ctx, out, oras.PackManifestVersion1_1, KindImage, oras.PackManifestOptions{
		Layers: []ocispec.Descriptor{desc}, ConfigDescriptor: &config,
		// The same image gives the same manifest.
		ManifestAnnotations: map[string]string{ocispec.AnnotationCreated: i.Imported.Format("2006-01-02T15:04:05Z"), ocispec.AnnotationTitle: i.Name},
	})
	if err == nil {
		err = out.Tag(ctx, manifest, name)
	}
	return err
}

// push writes a blob that is not there yet.
func push(ctx context.Context, out *oci.Store, at ocispec.Descriptor, from io.Reader) error {
	if there, err := out.Exists(ctx, at); err != nil || there {
		return err
	}
	return out.Push(ctx, at, from)
}

// pack packs an image into a file without a name.
func pack(s *image.Store, i image.Image, say func(string, float64)) (*os.File, ocispec.Descriptor, error) {
	desc := ocispec.Descriptor{MediaType: kindDisk}
	from, err := os.Open(s.File(i.Name))
	if err != nil {
		return nil, desc, err
	}
	defer from.Close()
	tmp, err := s.Temp("save.*")
	if err != nil {
		return nil, desc, err
	}
	os.Remove(tmp.Name())
	sum := digest.Canonical.Digester()
	z, err := zstd.NewWriter(io.MultiWriter(tmp, sum.Hash()), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err == nil {
		_, err = io.Copy(z, &told{from: from, size: i.Size, say: say})
		err = errors.Join(err, z.Close())
	}
	if err == nil {
		desc.Size, err = tmp.Seek(0, io.SeekCurrent)
	}
	if err == nil {
		_, err = tmp.Seek(0, io.SeekStart)
	}
	if err != nil {
		tmp.Close()
		return nil, desc, err
	}
	desc.Digest = sum.Digest()
	return tmp, desc, nil
}

// told says how far the reading of a file has come.
type told struct {
	from     io.Reader
	at, size int64
	say      func(string, float64)
}

func (t *told) Read(b []byte) (int, error) {
	n, err := t.from.Read(b)
	if t.at += int64(n); t.say != nil && t.size > 0 {
		t.say("packing", float64(t.at)/float64(t.size))
	}
	return n, err
}

// A Layout is an OCI image layout that is read: a directory, or a tar of one.
type Layout struct {
	path string
	from *oci.ReadOnlyStorage
	tags map[string]ocispec.Descriptor
}

// mostIndex bounds what is read of the index of a layout.
const mostIndex = 16 << 20

// Open opens one. Nothing but its index is read: whatever that names may be of any size.
func Open(path string) (*Layout, error) {
	info, err := os.Stat(path)
	l := &Layout{path: path, tags: map[string]ocispec.Descriptor{}}
	switch {
	case err != nil:
	case info.IsDir():
		dir := os.DirFS(path)
		l.from = oci.NewStorageFromFS(dir)
		err = l.index(func(name string) ([]byte, error) {
			f, err := dir.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return readBounded(f, name)
		})
	default:
		if l.from, err = oci.NewStorageFromTar(path); err == nil {
			err = l.index(func(name string) ([]byte, error) { return readTar(path, name) })
		}
	}
	if err != nil {
		return nil, fault.Wrap(fault.Input, err, "skep image save writes one", "read the layout %s", path)
	}
	return l, nil
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, mostIndex+1))
	if err == nil && len(b) > mostIndex {
		err = fmt.Errorf("its %s has more than %d bytes", name, mostIndex)
	}
	return b, err
}

// index reads what the layout is and has; read reads one of its files.
func (l *Layout) index(read func(name string) ([]byte, error)) error {
	var is ocispec.ImageLayout
	var index ocispec.Index
	for _, f := range []struct {
		name string
		into any
	}{{ocispec.ImageLayoutFile, &is}, {ocispec.ImageIndexFile, &index}} {
		b, err := read(f.name)
		if err == nil {
			err = json.Unmarshal(b, f.into)
		}
		if err != nil {
			return err
		}
	}
	if is.Version != ocispec.ImageLayoutVersion {
		return fmt.Errorf("it is of version %q", is.Version)
	}
	for _, m := range index.Manifests {
		if name := m.Annotations[ocispec.AnnotationRefName]; name != "" {
			l.tags[name] = m
		}
	}
	return nil
}

// Names are the names of what is in it.
func (l *Layout) Names() (names []string) {
	for name := range l.tags {
		if !strings.Contains(name, ":") { // a digest is no name
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Load imports an image of a layout under a name. What the layout says of it is believed as far as its bytes
// agree: they are unpacked in a jail, and have to be what the description says.
func (l *Layout) Load(ctx context.Context, s *image.Store, ref string, in image.Import) (image.Image, error) {
	bad := func(format string, a ...any) (image.Image, error) {
		return image.Image{}, fault.New(fault.Input, "", "load %s from %s: %s", ref, l.path, fmt.Sprintf(format, a...))
	}
	at, ok := l.tags[ref]
	if !ok {
		return bad("it is not there")
	}
	var m ocispec.Manifest
	if err := l.read(ctx, at, &m); err != nil {
		return bad("%v", err)
	}
	if m.ArtifactType != KindImage || len(m.Layers) != 1 || m.Layers[0].MediaType != kindDisk || m.Config.MediaType != kindConfig {
		return bad("it is no image of skep's")
	}
	var was image.Image
	if err := l.read(ctx, m.Config, &was); err != nil {
		return bad("%v", err)
	}
	if was.Version != image.Version || !strings.HasPrefix(was.Digest, "sha256:") || was.Size <= 0 {
		return bad("its description is of another kind")
	}
	if i, err := s.Get(in.Name); err == nil && i.Name == in.Name {
		return bad("there is an image %s already", in.Name)
	}
	packed, err := l.fetch(ctx, s, m.Layers[0])
	if err != nil {
		return image.Image{}, fault.Wrap(fault.Input, err, "", "load %s from %s", ref, l.path)
	}
	defer func() { os.Remove(packed.Name()); packed.Close() }()
	in.File, in.Format = packed.Name(), "raw.zst"
	i, err := s.Import(ctx, in)
	if err != nil {
		return i, err
	}
	if i, err = s.SettledFrom(i.Name, packed); err == nil && (i.Digest != was.Digest || i.Size != was.Size) {
		_ = s.Remove(i.Name)
		return bad("it is %s, and is said to be %s", i.Digest, was.Digest)
	}
	return i, err
}

// read reads a small blob as JSON, after its digest was compared.
func (l *Layout) read(ctx context.Context, at ocispec.Descriptor, v any) error {
	if at.Size > mostManifest {
		return fmt.Errorf("a description of %d bytes", at.Size)
	}
	text, err := content.FetchAll(ctx, l.from, at)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// fetch copies a blob to a file of the store, and compares its digest. As long as that is open nobody clears it away.
func (l *Layout) fetch(ctx context.Context, s *image.Store, at ocispec.Descriptor) (*os.File, error) {
	r, err := l.from.Fetch(ctx, at)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	tmp, err := s.Temp("load.*")
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(tmp.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	v := content.NewVerifyReader(r, at)
	if err == nil {
		_, err = io.Copy(tmp, v)
	}
	if err == nil {
		err = v.Verify()
	}
	if err != nil {
		os.Remove(tmp.Name())
		tmp.Close()
		return nil, err
	}
	return tmp, nil
}

// Is says whether there is an OCI image layout at a path.
func Is(path string) bool {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return strings.HasSuffix(path, ".tar")
	}
	_, err := os.Stat(filepath.Join(path, ocispec.ImageLayoutFile))
	return err == nil
}
