package screen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// ppm is a picture whose corners are red, green, blue and white.
func ppm() []byte {
	return append([]byte("P6\n2 2\n255\n"), 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255)
}

func wantCorners(t *testing.T, img *image.NRGBA) {
	t.Helper()
	for at, want := range map[image.Point]color.NRGBA{
		{X: 0, Y: 0}: {255, 0, 0, 255}, {X: 1, Y: 0}: {0, 255, 0, 255}, {X: 0, Y: 1}: {0, 0, 255, 255}, {X: 1, Y: 1}: {255, 255, 255, 255},
	} {
		if got := img.NRGBAAt(at.X, at.Y); got != want {
			t.Errorf("at %v: %v, want %v", at, got, want)
		}
	}
}

func TestDecodePPM(t *testing.T) {
	img, err := DecodePPM(bytes.NewReader(ppm()))
	if err != nil {
		t.Fatal(err)
	}
	wantCorners(t, img)
	var out bytes.Buffer
	if err := WritePNG(&out, img); err != nil {
		t.Fatal(err)
	}
	back, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	if r, g, b, _ := back.At(0, 0).RGBA(); r != 0xffff || g != 0 || b != 0 {
		t.Error("red is not red in the PNG")
	}
	if Blank(img) || !Blank(image.NewNRGBA(image.Rect(0, 0, 3, 3))) {
		t.Error("Blank is wrong")
	}
}

func TestDecodePPMRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":          "",
		"a PNG":            "\x89PNG\r\n\x1a\n",
		"ASCII":            "P3\n1 1\n255\n0 0 0\n",
		"huge":             "P6\n999999999 999999999\n255\n",
		"a bomb":           "P6\n16384 16384\n255\n",
		"an overflow":      "P6\n99999999999999999999 1\n255\n",
		"no width":         "P6\n0 1\n255\n",
		"negative":         "P6\n-1 1\n255\n",
		"16 bits":          "P6\n1 1\n65535\n      ",
		"cut off":          "P6\n2 2\n255\n123456",
		"an endless blank": "P6" + strings.Repeat(" ", 1<<20),
		"endless comments": "P6\n" + strings.Repeat("# x\n", 1<<20),
	} {
		if _, err := DecodePPM(strings.NewReader(in)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := DecodePPM(bytes.NewReader([]byte("P6 # made by hand\n1 # wide\n1\n255\nabc"))); err != nil {
		t.Errorf("comments: %v", err)
	}
}

// server speaks a script: what begins with ">" is awaited from the client,
// the rest is sent.
func server(t *testing.T, conn net.Conn, script ...string) {
	go func() {
		defer conn.Close()
		for _, s := range script {
			if want, ok := strings.CutPrefix(s, ">"); ok {
				got := make([]byte, len(want))
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
					t.Errorf("the client sent %q (%v), want %q", got, err, want)
					return
				}
				continue
			}
			if _, err := io.WriteString(conn, s); err != nil {
				return
			}
		}
		io.Copy(io.Discard, conn)
	}()
}

func capture(t *testing.T, password string, script ...string) (*image.NRGBA, error) {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	server(t, there, script...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return Capture(ctx, here, password)
}

const (
	little   = "\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00" // QEMU's
	big      = "\x20\x20\x01\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00"
	palette  = "\x08\x08\x00\x00\x00\x07\x00\x07\x00\x03\x00\x03\x06\x00\x00\x00"
	size     = "\x00\x02\x00\x02"
	name     = "\x00\x00\x00\x04hive"
	encs     = ">\x02\x00\x00\x02\x00\x00\x00\x00\xff\xff\xff\x21"
	ask      = ">\x03\x00\x00\x00\x00\x00\x00\x02\x00\x02"
	whole    = "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x02\x00\x02\x00\x00\x00\x00"
	pixels   = "\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\x00\xff\xff\xff\x00" // little
	pixelsBE = "\x00\xff\x00\x00\x00\x00\xff\x00\x00\x00\x00\xff\x00\xff\xff\xff"
	v38      = "RFB 003.008\n"
	v33      = "RFB 003.003\n"
	none     = "\x01\x01"
	ok       = "\x00\x00\x00\x00"
)

func TestCapture(t *testing.T) {
	for name, script := range map[string][]string{
		"3.8":        {v38, ">" + v38, none, ">\x01", ok, ">\x01", size + little + name, encs, ask, whole + pixels},
		"3.7":        {"RFB 003.007\n", ">RFB 003.007\n", none, ">\x01", ">\x01", size + little + name, encs, ask, whole + pixels},
		"3.3":        {v33, ">" + v33, "\x00\x00\x00\x01", ">\x01", size + little + name, encs, ask, whole + pixels},
		"4.1 of ARD": {"RFB 003.889\n", ">" + v38, none, ">\x01", ok, ">\x01", size + little + name, encs, ask, whole + pixels},
		"big endian": {v38, ">" + v38, none, ">\x01", ok, ">\x01", size + big + name, encs, ask, whole + pixelsBE},
		"a palette": {v38, ">" + v38, none, ">\x01", ok, ">\x01", size + palette + name,
			">\x00\x00\x00\x00\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00", encs, ask, whole + pixels},
		"another size": {v38, ">" + v38, none, ">\x01", ok, ">\x01", "\x04\x00\x03\x00" + little + name, encs, ">\x03\x00\x00\x00\x00\x00\x04\x00\x03\x00",
			"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x02\x00\x02\xff\xff\xff\x21", ask, whole + pixels},
		"in two updates, with a bell, a clipboard and colours between": {v38, ">" + v38, none, ">\x01", ok, ">\x01", size + little + name, encs, ask,
			"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00" + pixels[:8], ask,
			"\x02\x03\x00\x00\x00\x00\x00\x00\x02hi\x01\x00\x00\x00\x00\x01abcdef" +
				"\x00\x00\x00\x01\x00\x00\x00\x01\x00\x02\x00\x01\x00\x00\x00\x00" + pixels[8:]},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := capture(t, "", script...)
			if err != nil {
				t.Fatal(err)
			}
			wantCorners(t, img)
		})
	}
}

const vncAnswer = "\x0e\x71\xb5\x92\xe5\x9e\xd6\xb8\x18\x96\x30\x0b\xff\xac\xb7\x6f"

// Hands sends keys and the pointer as RFC 6143 has them, and nothing where a place is not on the screen.
func TestHands(t *testing.T) {
	greeting := []string{v38, ">" + v38, none, ">\x01", ok, ">\x01", size + little + name, encs}
	do := func(hands []Hand, script ...string) error {
		here, there := net.Pipe()
		defer here.Close()
		server(t, there, append(greeting[:len(greeting):len(greeting)], script...)...)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return Hands(ctx, here, "", hands)
	}
	err := do([]Hand{{Keysym: 0xffe1, Down: true}, {Keysym: 'a'}, {X: 1, Y: 0, Buttons: 4}},
		">\x04\x01\x00\x00\x00\x00\xff\xe1", ">\x04\x00\x00\x00\x00\x00\x00a", ">\x05\x04\x00\x01\x00\x00")
	if err != nil {
		t.Error(err)
	}
	var out *OutsideError
	if err := do([]Hand{{Keysym: 'a'}, {X: 2, Y: 0}}); !errors.As(err, &out) || out.Width != 2 {
		t.Errorf("a place beside the screen: %v", err)
	}
}

func TestCaptureWithPassword(t *testing.T) {
	// The answer was made with OpenSSL: des-ecb of the challenge under the key
	// whose bytes are "hive" with their bits reversed.
	challenge := "0123456789abcdef"
	answer := ">" + vncAnswer
	img, err := capture(t, "hive", v38, ">"+v38, "\x02\x01\x02", ">\x02", challenge, answer, ok, ">\x01", size+little+name, encs, ask, whole+pixels)
	if err != nil {
		t.Fatal(err)
	}
	wantCorners(t, img)
	_, err = capture(t, "hive", v38, ">"+v38, "\x01\x02", ">\x02", challenge, answer, "\x00\x00\x00\x01\x00\x00\x00\x02no")
	if !errors.Is(err, ErrPassword) {
		t.Error(err)
	}
	_, err = capture(t, "", v38, ">"+v38, "\x01\x02", ">\x02")
	if !errors.Is(err, ErrPassword) {
		t.Error(err)
	}
}

func TestCaptureRefuses(t *testing.T) {
	start := []string{v38, ">" + v38, none, ">\x01", ok, ">\x01"}
	with := func(more ...string) []string { return append(append([]string{}, start...), more...) }
	ready := func(more ...string) []string {
		return with(append([]string{size + little + name, encs, ask}, more...)...)
	}
	for name, tt := range map[string]struct {
		script []string
		want   string
	}{
		"another protocol":    {[]string{"SSH-2.0-OpenS"}, "not RFB"},
		"a refusal":           {[]string{v38, ">" + v38, "\x00\x00\x00\x00\x05go\x1b\r\n"}, "refused the viewer: go???"},
		"a refusal by result": {[]string{v38, ">" + v38, none, ">\x01", "\x00\x00\x00\x01\x00\x00\x00\x04full"}, "refused the viewer: full"},
		"a refusal in 3.3":    {[]string{v33, ">" + v33, "\x00\x00\x00\x00\x00\x00\x00\x02no"}, "refused the viewer: no"},
		"strange security":    {[]string{v38, ">" + v38, "\x02\x10\x13"}, "none of which"},
		"a long reason":       {[]string{v38, ">" + v38, "\x00\xff\xff\xff\xff"}, "refused the viewer"},
		"no pixels":           {with("\x00\x00\x00\x00" + little + "\x00\x00\x00\x00"), "a picture of 0 by 0"},
		"a huge screen":       {with("\xff\xff\xff\xff" + little + "\x00\x00\x00\x00"), "a picture of 65535"},
		"a huge name":         {with(size + little + "\xff\xff\xff\xff"), "a text of"},
		"another encoding":    {ready("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x02\x00\x02\x00\x00\x00\x10"), "encoding 16"},
		"out of the screen":   {ready("\x00\x00\x00\x01\x00\x01\x00\x00\x00\x02\x00\x02\x00\x00\x00\x00"), "outside of the screen"},
		"ever other sizes":    {ready("\x00\x00\xff\xff" + strings.Repeat("\x00\x00\x00\x00\x00\x02\x00\x02\xff\xff\xff\x21", 100)), "17 sizes"},
		"an unknown message":  {ready("\xfe"), "message 254"},
		"bells for ever":      {ready(strings.Repeat("\x02", 10000)), "no update"},
		"silence":             {ready(), "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := capture(t, "", tt.script...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestProxy(t *testing.T) {
	viewer, a := net.Pipe()
	b, screen := net.Pipe()
	done := make(chan error)
	go func() { done <- Proxy(t.Context(), a, b) }()
	go fmt.Fprint(viewer, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(screen, got); err != nil || string(got) != "hello" {
		t.Fatal(got, err)
	}
	go fmt.Fprint(screen, "world")
	if _, err := io.ReadFull(viewer, got); err != nil || string(got) != "world" {
		t.Fatal(got, err)
	}
	viewer.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := screen.Read(got); err == nil {
		t.Error("the screen's side is still open")
	}
	// A context that ends takes both sides with it.
	ctx, cancel := context.WithCancel(t.Context())
	_, a = net.Pipe()
	b, _ = net.Pipe()
	go func() { done <- Proxy(ctx, a, b) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzDecodePPM(f *testing.F) {
	f.Add(ppm())
	f.Add([]byte("P6 # x\n1 1 255\nabc"))
	f.Fuzz(func(t *testing.T, in []byte) {
		img, err := DecodePPM(bytes.NewReader(in))
		if err == nil && len(img.Pix)/4*3 > len(in) {
			t.Error("more pixels than bytes")
		}
	})
}

// oneWay is a connection whose other end has said all it will say.
type oneWay struct {
	net.Conn
	r io.Reader
}

func (o oneWay) Read(p []byte) (int, error)  { return o.r.Read(p) }
func (o oneWay) Write(p []byte) (int, error) { return len(p), nil }
func (oneWay) SetDeadline(time.Time) error   { return nil }

func FuzzCapture(f *testing.F) {
	f.Add([]byte(v38+none+ok+size+little+name+whole+pixels), "")
	f.Add([]byte(v33+"\x00\x00\x00\x02"+"0123456789abcdef"+ok+size+palette+name+whole+pixels), "x")
	f.Fuzz(func(t *testing.T, in []byte, password string) {
		img, err := Capture(t.Context(), oneWay{r: bytes.NewReader(in)}, password)
		if err == nil && len(img.Pix) > len(in) {
			t.Error("more pixels than bytes")
		}
	})
}
