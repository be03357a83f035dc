package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/plan"
)

// images compares what images cost: an import beside qemu-img alone, a start from a layer beside one from a
// file, many instances of one image beside as many cells, and the making of a layer.
func (b *bencher) images() error {
	fmt.Printf("\nimages, interleaved\n\n")
	for _, measure := range []func() error{b.imports, b.disposable, b.layers, b.instances} {
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}

// timed are two ways to do the same, in turns and each round in another order.
func timed(rounds int, ways ...func() error) ([]series, error) {
	took := make([]series, len(ways))
	for i := range rounds + 1 {
		for _, k := range rand.Perm(len(ways)) {
			begin := time.Now()
			if err := ways[k](); err != nil {
				return nil, err
			}
			if i > 0 { // the first of each fills caches
				took[k] = append(took[k], time.Since(begin))
			}
		}
	}
	return took, nil
}

// ran runs a command that is to succeed.
func ran(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}

// imports imports a sparse image of 2 GiB with 256 MiB of data in it.
func (b *bencher) imports() error {
	raw, from, out := filepath.Join(b.dir, "from.raw"), filepath.Join(b.dir, "from.qcow2"), filepath.Join(b.dir, "out.raw")
	f, err := os.Create(raw)
	if err != nil {
		return err
	}
	defer os.Remove(raw)
	defer os.Remove(from)
	defer os.Remove(out)
	piece := make([]byte, 4<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 64 {
		for at := range piece {
			piece[at] = byte(random.Uint32())
		}
		if _, err := f.WriteAt(piece, int64(i)*(32<<20)); err != nil {
			return err
		}
	}
	if err := f.Truncate(2 << 30); err != nil {
		return err
	}
	f.Close()
	if err := ran("qemu-img", "convert", "-O", "qcow2", raw, from); err != nil {
		return err
	}
	n := 0
	settle := func() error { // so that what is left of the import falls on nobody
		defer func() { n++ }()
		name := fmt.Sprintf("bench-%d", n)
		if err := ran(b.skep, "image", "show", name); err != nil {
			return err
		}
		return ran(b.skep, "image", "rm", name)
	}
	var bare, ours series
	for i := range max(3, b.n/5) + 1 {
		for _, k := range rand.Perm(2) {
			begin := time.Now()
			if k == 0 {
				err = ran("qemu-img", "convert", "-O", "raw", from, out)
			} else {
				err = ran(b.skep, "image", "import", fmt.Sprintf("bench-%d", n), from)
			}
			took := time.Since(begin)
			if err == nil && k == 1 {
				err = settle()
			}
			if err != nil {
				return err
			}
			if i > 0 && k == 0 {
				bare = append(bare, took)
			} else if i > 0 {
				ours = append(ours, took)
			}
		}
	}
	fmt.Printf("import of 2 GiB, 256 MiB of it data: %s, qemu-img convert alone %s: %.2f of its rate (goal: 0.95 or more)\n",
		ms(ours.at(0.5)), ms(bare.at(0.5)), float64(bare.at(0.5))/float64(ours.at(0.5)))
	return nil
}

// disposable starts the built-in guest with a disk and with a layer that is made for it.
func (b *bencher) disposable() error {
	base := filepath.Join(b.dir, "base.raw")
	if err := os.WriteFile(base, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(base, 1<<30); err != nil {
		return err
	}
	files := map[string]string{}
	for name, body := range map[string]string{"plain": "file = %q", "layer": "base = %q\n    disposable = true"} {
		files[name] = filepath.Join(b.dir, name+".hcl")
		text := fmt.Sprintf("cell %q {\n  memory = \"64M\"\n  accel = \"tcg\"\n  disk \"root\" {\n    "+body+"\n  }\n}\n", name, base)
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			return err
		}
	}
	start := func(name string) func() error {
		return func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, err := (&program{path: b.skep, args: []string{"run", "-q", files[name]}}).greeting(ctx)
			return err
		}
	}
	took, err := timed(b.n, start("plain"), start("layer"))
	if err != nil {
		return err
	}
	fmt.Printf("start on a file %s, on a disposable layer %s: %.2f (goal: 1.05 or less)\n",
		ms(took[0].at(0.5)), ms(took[1].at(0.5)), float64(took[1].at(0.5))/float64(took[0].at(0.5)))
	return nil
}

// layers makes layers on bases of different sizes.
func (b *bencher) layers() error {
	for _, size := range []cell.Size{cell.GiB, cell.TiB} {
		path := filepath.Join(b.dir, "large.raw")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(path, int64(size)); err != nil {
			return err
		}
		base, err := os.Open(path)
		if err != nil {
			return err
		}
		l := &plan.Layer{Label: "root", Path: filepath.Join(b.dir, "bench-layer.qcow2"), Format: disk.LayerFormat, Base: path,
			BaseFormat: cell.FormatRaw, Disposable: true}
		took, err := timed(b.n, func() error { _, err := disk.MakeLayer(l, base, ""); return err })
		base.Close()
		os.Remove(l.Path)
		os.Remove(path)
		if err != nil {
			return err
		}
		fmt.Printf("a layer on a base of %s: %s (goal: 5 ms or less)\n", size, ms(took[0].at(0.5)))
	}
	return nil
}

// instances starts many instances of one image, and as many cells with a disk each.
func (b *bencher) instances() error {
	const many = 40
	base := filepath.Join(b.dir, "base.raw")
	text := fmt.Sprintf("cell \"many\" {\n  memory = \"64M\"\n  accel = \"tcg\"\n  disk \"root\" {\n    base = %q\n    disposable = true\n  }\n}\n", base)
	file := filepath.Join(b.dir, "many.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	plain := []string{"up"}
	for i := range many {
		name := fmt.Sprintf("plain%d", i)
		image := filepath.Join(b.dir, name+".raw")
		text := fmt.Sprintf("cell %q {\n  memory = \"64M\"\n  accel = \"tcg\"\n  disk \"root\" {\n    file = %q\n  }\n}\n", name, image)
		path := filepath.Join(b.dir, name+".hcl")
		for _, err := range []error{os.WriteFile(path, []byte(text), 0o600), os.WriteFile(image, nil, 0o600), os.Truncate(image, 1<<30)} {
			if err != nil {
				return err
			}
		}
		plain = append(plain, path)
	}
	layered := []string{"up", fmt.Sprintf("%s@{1..%d}", file, many)}
	var took [2]series
	for i := range 4 {
		for _, k := range rand.Perm(2) {
			begin := time.Now()
			if err := ran(b.skep, [][]string{plain, layered}[k]...); err != nil {
				return err
			}
			if i > 0 {
				took[k] = append(took[k], time.Since(begin))
			}
			if err := ran(b.skep, "kill", "--all"); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d cells with a disk each %s, %d instances of one base %s: %.2f of their rate (goal: 0.90 or more)\n",
		many, ms(took[0].at(0.5)), many, ms(took[1].at(0.5)), float64(took[0].at(0.5))/float64(took[1].at(0.5)))
	return nil
}
