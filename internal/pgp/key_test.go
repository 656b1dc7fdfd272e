package pgp

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"roster/tests/servertest"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	public, private := ours()
	p, err := ParsePublic(public, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(p.Expires); left < 179*24*time.Hour || left > 180*24*time.Hour {
		t.Error("expires in", left)
	}
	if p.Armoured != public {
		t.Error("the public key is not what it is when it is read")
	}
	if len(private) == 0 || strings.Contains(public, "PRIVATE") {
		t.Error("a private key is in the public one")
	}
	if _, err := NewKeys([][]byte{private[:len(private)/2]}, "", time.Now); err == nil {
		t.Error("half a private key was taken")
	}
}

func TestParsePublic(t *testing.T) {
	t.Parallel()
	gpg := servertest.NewGPG(t)
	armoured := gpg.NewKey("Sender", "ed25519", "1y")
	binary := gpg.Run(nil, "--export", "Sender")
	base64Of := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	for name, text := range map[string]string{
		"armoured": armoured, "without a line end": strings.TrimSpace(armoured), "Windows": strings.ReplaceAll(armoured, "\n", "\r\n"),
		"base64 of armour": base64Of([]byte(armoured)), "base64": base64Of(binary), "base64 in lines": wrapped(base64Of(binary)),
	} {
		p, err := ParsePublic(text, time.Now())
		if err != nil || !strings.HasPrefix(p.Armoured, "-----BEGIN PGP PUBLIC KEY BLOCK-----") || time.Until(p.Expires) < 300*24*time.Hour {
			t.Errorf("%s: %v, expires %s", name, err, p.Expires)
		}
	}
	gpg.NewKey("Second", "ed25519", "never")
	gpg.NewKey("Short", "rsa1024", "never")
	gpg.NewKey("Old", "ed25519", "seconds=1")
	_, private := ours()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":          {"", "is not a PGP public key"},
		"words":            {"my key", "neither armoured nor base64"},
		"noise":            {base64Of([]byte("noise")), "is not a PGP public key"},
		"half":             {base64Of(binary[:len(binary)/2]), "is"},
		"another's armour": {"-----BEGIN CERTIFICATE-----\n\nAAAA\n-----END CERTIFICATE-----", "is not a PGP public key"},
		"two":              {string(gpg.Run(nil, "--armor", "--export")), "keys; send them one by one"},
		"private":          {string(gpg.Run(nil, "--armor", "--passphrase", "", "--export-secret-keys", "Sender")), "is a private key"},
		"private, base64":  {base64Of(private), "is a private key"},
		"short":            {string(gpg.Run(nil, "--armor", "--export", "Short")), "cannot sign with a secure method"},
		"large":            {strings.Repeat("A", 1<<20), "has more than"},
	} {
		if _, err := ParsePublic(c.text, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := ParsePublic(string(gpg.Run(nil, "--armor", "--export", "Old")), time.Now().Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Error(err)
	}
}

// TestExpired reads a message for an expired key, and refuses one of which the signer's key has expired.
func TestExpired(t *testing.T) {
	t.Parallel()
	gpg := servertest.NewGPG(t)
	public, private := ours()
	gpg.Run([]byte(public), "--import")
	signer := gpg.NewKey("Sender", "ed25519", "1y")
	b := gpg.Run([]byte("mail\n"), "--sign", "--encrypt", "--recipient", "Roster")
	later := func() time.Time { return time.Now().Add(2 * 365 * 24 * time.Hour) }
	for verify, want := range map[string]string{"": "", signer: "has expired or was revoked"} {
		k, err := NewKeys([][]byte{private}, verify, later)
		if err != nil {
			t.Fatal(err)
		}
		_, err = read(k, b)
		if want == "" && err != nil {
			t.Error(err)
		} else if want != "" {
			refusedWith(t, "an expired signer", err, want)
		}
	}
}

func FuzzPublic(f *testing.F) {
	public, _ := ours()
	f.Add([]byte(public))
	block, err := armor.Decode(strings.NewReader(public))
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(block.Body); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = ParsePublic(base64.StdEncoding.EncodeToString(b), time.Now())
		_, _ = ParsePublic(string(b), time.Now())
	})
}
