package pgp

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// Kind is the OpenPGP kind of a file.
type Kind int

// The kinds. A Message may be unencrypted; opening it then fails.
const (
	None Kind = iota
	Message
	Signature // a detached one
	Key
	Signed  // clear-signed text, or a message that begins with a signature or compressed data
	UTF16   // an armoured file in UTF-16, as written by > in PowerShell
	Partial // an armoured message in parts
)

// String returns the kind as a continuation of "the file is".
func (k Kind) String() string {
	return [...]string{"not encrypted by PGP", "encrypted by PGP", "a detached PGP signature", "a PGP key", "signed or compressed by PGP, but not encrypted",
		"an armoured PGP file in UTF-16, as PowerShell's > writes it; write it by gpg --output", "one part of a PGP message in several; encrypt it as one"}[k]
}

// Detect returns the kind of a file that begins with head. No text file matches: the signature of every binary kind
// contains a control character.
func Detect(head []byte) Kind {
	if kind := detectArmour(head); kind != None {
		return kind
	}
	tag, body, ok := packetOf(head)
	if !ok {
		return None
	}
	has := func(i int, values ...byte) bool { return i < len(body) && bytes.IndexByte(values, body[i]) >= 0 }
	const algorithmsOfKeys = "\x01\x02\x03\x10\x11\x12\x13\x16\x19\x1a\x1b\x1c\x1e\x1f\x20\x21\x22\x23\x24"
	switch tag {
	case tagPublicKeyEncrypted:
		if has(0, 3) && (len(body) < 10 || has(9, []byte(algorithmsOfKeys)...)) || has(0, 6) && has(1, 0, 21, 33) {
			return Message
		}
	case tagPasswordEncrypted:
		if has(0, 4, 5, 6) && len(body) > 1 && body[1] <= 32 {
			return Message
		}
	case tagProtected:
		if has(0, 1, 2) {
			return Message
		}
	case tagAEAD:
		if has(0, 1) && has(1, 1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13) {
			return Message
		}
	case tagMarker:
		if bytes.HasPrefix(body, []byte("PGP")) {
			return Message
		}
	case tagSignature:
		if has(0, 3, 4, 5, 6) && has(1, 0, 1) {
			return Signature
		}
	case tagOnePass:
		if has(0, 3, 6) && has(1, 0, 1) {
			return Signed
		}
	case tagCompressed:
		if has(0, 1, 2, 3) && len(head) > 2 {
			return Signed
		}
	case tagPublicKey, tagSecretKey:
		if has(0, 3, 4, 5, 6) && has(5, []byte(algorithmsOfKeys)...) {
			return Key
		}
	}
	return None
}

// Tags of packets.
const (
	tagPublicKeyEncrypted = 1
	tagSignature          = 2
	tagPasswordEncrypted  = 3
	tagOnePass            = 4
	tagSecretKey          = 5
	tagPublicKey          = 6
	tagCompressed         = 8
	tagUnprotected        = 9
	tagMarker             = 10
	tagProtected          = 18
	tagAEAD               = 20
	tagPadding            = 21
)

// isNew is set in the first byte of a packet whose header is of the newer form.
const isNew = 0x40

// packetOf parses the packet header at the beginning of head, and returns the part of the packet's body in head.
func packetOf(head []byte) (tag int, body []byte, ok bool) {
	const begins = 0x80
	if len(head) < 2 || head[0]&begins == 0 {
		return 0, nil, false
	}
	size := 1
	if head[0]&isNew != 0 {
		switch n := head[1]; {
		case n == 255:
			size = 5
		case 192 <= n && n < 224:
			size = 2
		}
	} else {
		size = [...]int{1, 2, 4, 0}[head[0]&3]
	}
	if len(head) < 1+size {
		return 0, nil, false
	}
	return tagOf(head[0]), head[1+size:], true
}

// tagOf is the tag of a packet that begins with a byte.
func tagOf(first byte) int {
	if first&isNew != 0 {
		return int(first & 0x3f)
	}
	return int(first&0x3f) >> 2
}

// armours are the lines that armoured files begin with, behind "-----BEGIN PGP ".
var armours = []struct {
	line string
	kind Kind
}{
	{"MESSAGE-----", Message}, {"ARMORED FILE-----", Message}, {"MESSAGE, PART", Partial}, {"SIGNED MESSAGE-----", Signed}, {"SIGNATURE-----", Signature},
	{"PUBLIC KEY BLOCK-----", Key}, {"PRIVATE KEY BLOCK-----", Key}, {"SECRET KEY BLOCK-----", Key},
}

const armourBegins = "-----BEGIN PGP "

func detectArmour(head []byte) Kind {
	text := armourText(head)
	if bytes.HasPrefix(text, []byte(armourBegins)) {
		for _, a := range armours {
			if bytes.HasPrefix(text[len(armourBegins):], []byte(a.line)) {
				return a.kind
			}
		}
		return None
	}
	for mark, order := range map[string]binary.ByteOrder{"\xff\xfe": binary.LittleEndian, "\xfe\xff": binary.BigEndian} {
		if rest, marked := bytes.CutPrefix(head, []byte(mark)); marked && inUTF16(rest, order, armourBegins) {
			return UTF16
		}
	}
	return None
}

// armourText returns head without the text that may precede armour.
func armourText(head []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
}

// inUTF16 reports whether b begins with an ASCII text in UTF-16.
func inUTF16(b []byte, order binary.ByteOrder, text string) bool {
	if len(b) < 2*len(text) {
		return false
	}
	for i := range len(text) {
		if c := order.Uint16(b[2*i:]); c >= utf8.RuneSelf || byte(c) != text[i] {
			return false
		}
	}
	return true
}
