package pgp

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"roster/tests/servertest"
)

const most = 1 << 30

// ours is a key pair of the server.
var ours = sync.OnceValues(func() (string, []byte) {
	public, private, err := Generate("e31ae895-7896-469a-8e06-eb9207ddf1c2", time.Now(), 180*24*time.Hour)
	if err != nil {
		panic(err)
	}
	return public, private
})

func keys(t testing.TB, verify string) *Keys {
	t.Helper()
	_, private := ours()
	k, err := NewKeys([][]byte{private}, verify, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// read opens a message and reads it to its end.
func read(k *Keys, b []byte) ([]byte, error) {
	r, err := k.Open(bytes.NewReader(b), most)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func refusedWith(t testing.TB, name string, err error, want string) {
	t.Helper()
	var own *Error
	if !errors.As(err, &own) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %s", name, err, want)
	}
}

// people is a table that does not compress well.
func people(t testing.TB, size int) []byte {
	t.Helper()
	b := make([]byte, size/2)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return []byte("email\n" + strings.ReplaceAll(wrapped(base64.StdEncoding.EncodeToString(b)), "\r", "@example.com"))
}

// TestGnuPG opens what GnuPG writes, in each of its forms.
func TestGnuPG(t *testing.T) {
	t.Parallel()
	gpg := servertest.NewGPG(t)
	public, _ := ours()
	gpg.Run([]byte(public), "--import")
	signer := gpg.NewKey("Sender", "ed25519", "1y")
	second := gpg.NewKey("Second", "nistp256", "never")
	text := people(t, 300_000)
	to := []string{"--encrypt", "--recipient", "e31ae895-7896-469a-8e06-eb9207ddf1c2"}
	byNobody, bySender, bySecond := keys(t, ""), keys(t, signer), keys(t, second)
	for name, args := range map[string][]string{
		"binary":              {},
		"armoured":            {"--armor"},
		"with a comment":      {"--armor", "--comment", "one", "--comment", "two", "--emit-version"},
		"zip":                 {"--compress-algo", "zip"},
		"zlib":                {"--compress-algo", "zlib"},
		"bzip2":               {"--compress-algo", "bzip2"},
		"not compressed":      {"--compress-algo", "none"},
		"3DES":                {"--cipher-algo", "3DES"},
		"AES":                 {"--cipher-algo", "AES"},
		"text":                {"--textmode"},
		"hidden":              {"--throw-keyids"},
		"two recipients":      {"--recipient", "Roster", "--hidden-recipient", "Roster"},
		"and a passphrase":    {"--symmetric", "--passphrase", "x"},
		"signed":              {"--sign", "--local-user", "Sender"},
		"signed twice":        {"--sign", "--local-user", "Second", "--local-user", "Sender"},
		"signed and armoured": {"--sign", "--local-user", "Sender", "--armor"},
		"rfc4880":             {"--rfc4880"},
		"named":               {"--set-filename", "people.csv"},
	} {
		b := gpg.Run(text, append(args, to...)...)
		if kind := Detect(b[:100]); kind != Message {
			t.Errorf("%s: is %s: %x", name, kind, b[:20])
		}
		got, err := read(byNobody, b)
		if name == "text" { // its lines end as those of Windows
			got = bytes.ReplaceAll(got, []byte("\r"), nil)
		}
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		for verify, by := range map[string]*Keys{"Sender": bySender, "Second": bySecond} {
			_, err := read(by, b)
			if strings.Contains(strings.Join(args, " "), verify) != (err == nil) {
				t.Errorf("%s, verified by the key of %s: %v", name, verify, err)
			}
		}
	}
	// What is no message for us, or not signed as it must be.
	other, _, err := Generate("another one", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	gpg.Run([]byte(other), "--import")
	signed := gpg.Run(text, append([]string{"--sign", "--local-user", "Second"}, to...)...)
	plainSigned := gpg.Run(text, "--sign", "--local-user", "Sender")
	for name, c := range map[string]struct {
		file         []byte
		verify, want string
		kind         Kind
	}{
		"another key":      {file: gpg.Run(text, "--encrypt", "--recipient", "another one"), want: "and not for the key that opens it here", kind: Message},
		"hidden, another":  {file: gpg.Run(text, "--encrypt", "--hidden-recipient", "another one"), want: "for hidden recipients", kind: Message},
		"a passphrase":     {file: gpg.Run(text, "--symmetric", "--passphrase", "x"), want: "by a passphrase alone", kind: Message},
		"signed alone":     {file: plainSigned, want: "is not encrypted", kind: Signed},
		"signed, armoured": {file: gpg.Run(text, "--sign", "--armor", "--local-user", "Sender"), want: "is not encrypted", kind: Message},
		"compressed":       {file: gpg.Run(text, "--store"), want: "is not encrypted", kind: Signed},
		"twice":            {file: gpg.Run(gpg.Run(text, to...), to...), kind: Message},
		"no signature":     {file: gpg.Run(text, to...), verify: signer, want: "is not signed, and must be signed by the key", kind: Message},
		"another's":        {file: signed, verify: signer, want: "is signed by another key", kind: Message},
		"Twofish":          {file: gpg.Run(text, append([]string{"--cipher-algo", "TWOFISH"}, to...)...), want: "cipher that is not supported", kind: Message},
		"detached":         {file: gpg.Run(text, "--detach-sign", "--local-user", "Sender"), want: "is not encrypted", kind: Signature},
		"clear":            {file: gpg.Run([]byte("mail\n"), "--clearsign", "--local-user", "Sender"), want: "is not encrypted", kind: Signed},
		"a key":            {file: gpg.Run(nil, "--export", "Sender"), want: "is not encrypted", kind: Key},
		"an armoured key":  {file: []byte(signer), want: "is not encrypted", kind: Key},
	} {
		if kind := Detect(c.file[:min(len(c.file), 200)]); kind != c.kind {
			t.Errorf("%s: is %s: %x", name, kind, c.file[:20])
		}
		got, err := read(keys(t, c.verify), c.file)
		if name == "twice" { // the inner message is data, which whoever reads it names
			if err != nil || Detect(got) != Message {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		refusedWith(t, name, err, c.want)
	}
}

// encrypted is a message by the library, with or without AEAD.
func encrypted(t testing.TB, text []byte, cfg *packet.Config) []byte {
	t.Helper()
	_, private := ours()
	list, err := openpgp.ReadKeyRing(bytes.NewReader(private))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := openpgp.Encrypt(&b, list, nil, nil, nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAltered changes and cuts a message at every place: nothing but its whole text ever comes with a good end.
func TestAltered(t *testing.T) {
	t.Parallel()
	text := people(t, 900)
	for name, b := range map[string][]byte{
		"plain":      encrypted(t, text, nil),
		"compressed": encrypted(t, text, &packet.Config{DefaultCompressionAlgo: packet.CompressionZLIB}),
	} {
		k := keys(t, "")
		unnoticed := 0
		for i := range b {
			changed := bytes.Clone(b)
			changed[i] ^= 1 << (i % 8)
			if got, err := read(k, changed); err == nil && !bytes.Equal(got, text) {
				t.Fatalf("%s, byte %d: the message was changed, and %d bytes came", name, i, len(got))
			} else if err == nil {
				unnoticed++
			}
			if _, err := read(k, b[:i]); err == nil {
				t.Fatalf("%s: cut off at %d", name, i)
			}
		}
		if unnoticed > 4 { // lengths of packets, which lie outside of what is encrypted
			t.Errorf("%s: %d changes were not noticed", name, unnoticed)
		}
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	b := encrypted(t, people(t, 900), nil)
	armour := func(b []byte) []byte {
		return []byte("-----BEGIN PGP MESSAGE-----\r\nVersion: x\r\n\r\n" + wrapped(base64.StdEncoding.EncodeToString(b)) + "-----END PGP MESSAGE-----\r\n")
	}
	k := keys(t, "")
	for name, file := range map[string][]byte{
		"a blank line": append(bytes.Clone(b), "\r\n\n \x00\x00"...), "armour": armour(b), "armour and blank lines": append(armour(b), "\n\n"...),
		"armour with a mark": append([]byte("\xef\xbb\xbf\r\n"), armour(b)...),
	} {
		if _, err := read(k, file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, file := range map[string][]byte{
		"another message": append(bytes.Clone(b), b...), "another armour": append(armour(b), armour(b)...), "text": append(bytes.Clone(b), "a@example.com\n"...),
		"a message in armour": append(armour(b), b...), "two in one armour": armour(append(bytes.Clone(b), b...)),
	} {
		_, err := read(k, file)
		refusedWith(t, name, err, "has something behind the message")
	}
}

func wrapped(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		n := min(len(text), 76)
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	return b.String()
}

// TestClaims opens messages that claim more than there is, or have more than a message needs.
func TestClaims(t *testing.T) {
	t.Parallel()
	b := encrypted(t, bytes.Repeat([]byte("a"), 8<<20), &packet.Config{DefaultCompressionAlgo: packet.CompressionZLIB})
	r, err := keys(t, "").Open(bytes.NewReader(b), 1<<20)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	refusedWith(t, "a bomb", err, "decompression bomb")
	small := encrypted(t, []byte("a"), nil)
	_, body, _ := packetOf(small)
	recipient := small[:len(small)-len(body)+int(small[1])]
	_, err = read(keys(t, ""), append(bytes.Repeat(recipient, 1000), small...))
	refusedWith(t, "many recipients", err, "more recipients")
	_, err = read(keys(t, ""), []byte("-----BEGIN PGP MESSAGE-----\n"+strings.Repeat("Comment: x\n", 100_000)))
	refusedWith(t, "many headers", err, "without a blank line")
	_, err = read(keys(t, ""), []byte("\xc1\xff\xff\xff\xff\xff\x03"+strings.Repeat("x", 100_000)))
	refusedWith(t, "a long recipient", err, "more recipients")
}

// TestSource gives the errors of the file as they are.
func TestSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("reset")
	b := encrypted(t, people(t, 900), nil)
	k := keys(t, "")
	for i := range b {
		r, err := k.Open(io.MultiReader(bytes.NewReader(b[:i]), iotest.ErrReader(broken)), most)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Fatalf("the source fails after %d bytes: no error", i)
		}
	}
}

func TestDetectText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "e", "\x84", "\xc3\xa9t\xe9\n", "é,email\n", "\x85mail,x\n", "\xc1bc,d\n", "\xd2x\n", "ËabcdefghiË", "\xa3x\n", "\x99 1\n", "-----BEGIN CERTIFICATE-----\n",
		"\xff\xfee\x00", "\x1f\x8b\x08", "PAR1"} {
		if kind := Detect([]byte(text)); kind != None {
			t.Errorf("%q is %s", text, kind)
		}
	}
	utf16 := "\xff\xfe"
	for _, c := range "-----BEGIN PGP MESSAGE-----" {
		utf16 += string([]byte{byte(c), 0})
	}
	if kind := Detect([]byte(utf16)); kind != UTF16 {
		t.Error(kind)
	}
}

func FuzzOpen(f *testing.F) {
	b := encrypted(f, people(f, 900), &packet.Config{DefaultCompressionAlgo: packet.CompressionZIP})
	f.Add(b)
	f.Add(b[300:])
	f.Add([]byte("-----BEGIN PGP MESSAGE-----\n\n" + wrapped(base64.StdEncoding.EncodeToString(b)) + "-----END PGP MESSAGE-----\n"))
	k := keys(f, "")
	f.Fuzz(func(t *testing.T, b []byte) {
		Detect(b)
		if r, err := k.Open(bytes.NewReader(b), 1<<20); err == nil {
			if n, err := io.Copy(io.Discard, r); err == nil && n > 1<<20 {
				t.Errorf("%d bytes give %d", len(b), n)
			}
		}
	})
}
