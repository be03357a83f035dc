package cellfile

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skep/internal/cell"
)

// A file that was filled in says what was asked for and is formatted.
func TestFilled(t *testing.T) {
	for _, c := range []struct {
		fill Filling
		want string // the same, written by hand
	}{
		{Filling{}, `cell "x" {}`},
		{Filling{Memory: "2G"}, `cell "x" { memory = "2G" }`},
		{Filling{Image: "debian-13", Stored: true}, "cell \"x\" {\n boot = \"uefi\"\n disk \"root\" { image = \"debian-13\" }\n}"},
		{Filling{Image: "/srv/a b.img", Format: cell.FormatRaw}, "cell \"x\" {\n boot = \"uefi\"\n disk \"root\" { file = \"/srv/a b.img\" }\n}"},
		{Filling{Image: "/srv/${x}.qcow2", Format: cell.FormatQcow2, Disks: []string{"1G", "2G"}},
			"cell \"x\" {\n boot = \"uefi\"\n disk \"root\" {\n file = \"/srv/$${x}.qcow2\"\n format = \"qcow2\"\n }\n disk \"disk-02\" {\n file = \"x-disk-02.img\"\n size = \"1G\"\n}\n disk \"disk-03\" {\n file = \"x-disk-03.img\"\n size = \"2G\"\n}\n}"},
		{Filling{Image: "/srv/a.iso", ISO: true, Disks: []string{"20G"}},
			"cell \"x\" {\n boot = \"uefi\"\n disk \"root\" {\n file = \"x-root.img\"\n size = \"20G\"\n}\n disk \"installer\" { iso = \"/srv/a.iso\" }\n}"},
	} {
		src := Filled("x", c.fill)
		got, diags := cell.Parse("/c/x.hcl", src)
		if diags != nil {
			t.Errorf("%+v: %v\n%s", c.fill, diags, src)
			continue
		}
		want, diags := cell.Parse("/c/x.hcl", []byte(c.want))
		if diags != nil {
			t.Fatal(diags)
		}
		got.Sources, want.Sources = nil, nil
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%+v: %s", c.fill, d)
		}
		if formatted, _ := Format("x.hcl", src); !bytes.Equal(formatted, src) {
			t.Errorf("%+v is not formatted: %s", c.fill, cmp.Diff(string(src), string(formatted)))
		}
	}
}

func TestTemplateFormatted(t *testing.T) {
	src := cell.Template("x")
	if formatted, _ := Format("x.hcl", src); !bytes.Equal(formatted, src) {
		t.Error("the template is not formatted:", cmp.Diff(string(src), string(formatted)))
	}
}
