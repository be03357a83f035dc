package plan

import (
	"testing"

	"skep/internal/cell"
	"skep/internal/host"
)

// A library that a cell does not reach has a stub in its place, and what only that needs is not there.
func TestThin(t *testing.T) {
	file := func(name string) host.File { return host.File{Host: "/usr" + name, Inside: name} }
	q := &host.QEMU{Stubs: []host.Stub{
		{File: host.File{Host: "/cache/png", Inside: "/lib/libpng16.so.16"}, Library: "libpng16.so.16", Code: 1},
		{File: host.File{Host: "/cache/fuse", Inside: "/lib/libfuse3.so.3"}, Library: "libfuse3.so.3", Code: 1},
		{File: host.File{Host: "/cache/tls", Inside: "/lib/libgnutls.so.30"}, Library: "libgnutls.so.30", Code: 1},
	}, Linked: map[string]host.Linked{
		"/qemu":                {Needs: []string{"/lib/libpng16.so.16", "/lib/libfuse3.so.3", "/lib/libgnutls.so.30", "/lib/libc.so.6"}, Code: 100},
		"/lib/libpng16.so.16":  {Needs: []string{"/lib/libz.so.1", "/lib/libc.so.6"}, Code: 10},
		"/lib/libfuse3.so.3":   {Needs: []string{"/lib/libonly.so.1", "/lib/libc.so.6"}, Code: 10},
		"/lib/libonly.so.1":    {Needs: []string{"/lib/libc.so.6"}, Code: 10},
		"/lib/libgnutls.so.30": {Needs: []string{"/lib/libz.so.1"}, Code: 10},
		"/lib/libz.so.1":       {Code: 10},
		"/lib/libc.so.6":       {Needs: []string{"/ld.so"}, Code: 10},
		"/ld.so":               {Code: 10},
		"/module.so":           {Needs: []string{"/lib/libc.so.6"}, Code: 10},
	}}
	for name := range q.Linked {
		q.Files = append(q.Files, file(name))
	}
	for _, c := range []struct {
		name         string
		cell         cell.Cell
		files        int
		code         int64
		stubs, there []string
	}{
		{"no screen", cell.Cell{}, 8, 152, []string{"/lib/libpng16.so.16", "/lib/libfuse3.so.3"}, []string{"/module.so", "/ld.so", "/lib/libgnutls.so.30", "/lib/libz.so.1"}},
		{"a screen", cell.Cell{Screen: &cell.Screen{}}, 8, 161, []string{"/lib/libfuse3.so.3"}, []string{"/lib/libpng16.so.16"}},
		{"arguments of its own", cell.Cell{Hypervisor: cell.Hypervisor{Args: []string{"-x"}}}, 9, 180, nil, []string{"/lib/libonly.so.1"}},
	} {
		files, code, linked := thin(&c.cell, q, q.Files)
		if len(files) != c.files || code != c.code || linked != 180 {
			t.Errorf("%s: %d files, %d of %d: %v", c.name, len(files), code, linked, files)
		}
		at := map[string]string{}
		for _, f := range files {
			at[f.Inside] = f.Host
		}
		for _, s := range c.stubs {
			if at[s][:6] != "/cache" {
				t.Errorf("%s: %s is %s", c.name, s, at[s])
			}
		}
		for _, s := range c.there {
			if at[s] != "/usr"+s {
				t.Errorf("%s: %s is %q", c.name, s, at[s])
			}
		}
	}
}
