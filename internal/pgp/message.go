package pgp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const (
	inBuffer = 64 << 10
	// maxHeader is how many bytes may precede the encrypted data: about 200 recipients, and the headers of armour.
	maxHeader = 64 << 10
	// maxNamed is the number of recipients that an error names.
	maxNamed = 5
)

// Error says that a message cannot be decrypted, or cannot be trusted.
type Error struct{ Reason string } // continues "the PGP file"

func (e *Error) Error() string { return "the PGP file " + e.Reason }

func refused(format string, args ...any) *Error { return &Error{fmt.Sprintf(format, args...)} }

// altered replaces every error in decrypted data, because details would help an attacker.
var altered = refused("was altered or is damaged: its check of integrity fails; encrypt it again and upload it again")

// Keys decrypts messages. It is safe for concurrent use.
type Keys struct {
	private [][]byte
	verify  string
	now     func() time.Time
	rings   sync.Pool // of *ring: a ring is for one message at a time
}

// KeyLoader loads keys when they are needed.
type KeyLoader interface {
	// Load returns the keys. A second call returns the same keys.
	Load(ctx context.Context) (*Keys, error)
}

// NewKeys returns Keys that decrypt messages with one of the private keys. If verify, an armoured public key, is not
// "", each message must be signed by it.
func NewKeys(private [][]byte, verify string, now func() time.Time) (*Keys, error) {
	k := &Keys{private: private, verify: verify, now: now}
	r, err := k.parse()
	if err == nil {
		k.rings.Put(r)
	}
	return k, err
}

// ring contains the parsed keys, which the library modifies during use.
type ring struct {
	private openpgp.EntityList
	verify  openpgp.EntityList // one key or none
}

func (k *Keys) parse() (*ring, error) {
	r := &ring{}
	for _, b := range k.private {
		list, err := openpgp.ReadKeyRing(bytes.NewReader(b))
		if err != nil || len(list) != 1 || list[0].PrivateKey == nil {
			return nil, errors.New("pgp: a stored private key cannot be read")
		}
		r.private = append(r.private, list[0])
	}
	if k.verify != "" {
		entity, err := readPublic(k.verify)
		if err != nil {
			return nil, errors.New("pgp: a stored public key cannot be read")
		}
		r.verify = append(r.verify, entity)
	}
	return r, nil
}

// message reads one message.
type message struct {
	keys   *Keys
	ring   *ring
	config *packet.Config

	stored    *bufio.Reader // the rest of the file
	armour    io.Reader     // of an armoured file
	packets   *bufio.Reader // of the message
	decrypted *remembering
	by        *openpgp.Entity // the key that opened it
	details   *openpgp.MessageDetails
	n         int64 // number of bytes read from the content
	end       error // after the end: io.EOF, or why the message cannot be trusted
}

// remembering keeps the error of the decrypted stream, which the library hides.
type remembering struct {
	io.ReadCloser
	err error
}

func (r *remembering) Read(p []byte) (n int, err error) {
	n, err = r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Open decrypts a message. The decompressed size of its compressed part is limited. The returned reader ends with
// io.EOF only if the message is complete, unaltered, correctly signed if required, and not followed by other data.
// Errors are *Error, those of the given reader, or io.ErrUnexpectedEOF for a truncated message.
func (k *Keys) Open(r io.Reader, most int64) (io.Reader, error) {
	m := &message{keys: k, stored: bufio.NewReaderSize(r, inBuffer), config: config(k.now())}
	m.config.MaxDecompressedMessageSize = &most
	m.config.CheckIntendedRecipients = packet.BoolPointer(false) // the inner message is read as an unencrypted one; see verified
	var err error
	if m.ring, _ = k.rings.Get().(*ring); m.ring == nil {
		if m.ring, err = k.parse(); err != nil {
			return nil, err
		}
	}
	if err := m.dearmour(); err != nil {
		return nil, err
	}
	if err := m.open(); err != nil {
		return nil, err
	}
	m.details, err = openpgp.ReadMessage(m.decrypted, m.ring.verify, nil, m.config)
	if err != nil {
		return nil, m.reason(err)
	}
	return m, nil
}

// dearmour returns the packets of a message, which may be armoured.
func (m *message) dearmour() error {
	m.packets = m.stored
	head, err := m.stored.Peek(maxHeader)
	if err != nil && err != io.EOF {
		return err
	}
	text := armourText(head)
	if !bytes.HasPrefix(text, []byte(armourBegins)) {
		return nil
	}
	// The library reads all headers into memory, without a limit.
	if !hasBlankLine(text) {
		return refused("has armour without a blank line behind its headers: it is damaged; encrypt it again")
	}
	if _, err := m.stored.Discard(len(head) - len(text)); err != nil {
		return err
	}
	block, err := armor.Decode(m.stored)
	if err != nil {
		return refused("has armour that cannot be read; encrypt it again")
	}
	m.armour, m.packets = block.Body, bufio.NewReaderSize(block.Body, inBuffer)
	return nil
}

// hasBlankLine reports whether the headers of armour end.
func hasBlankLine(text []byte) bool {
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) == 0 {
			return true
		}
	}
	return false
}

// open reads the recipients and decrypts the message with the first matching key.
func (m *message) open() error {
	header := &io.LimitedReader{R: m.packets, N: maxHeader}
	var recipients []*packet.EncryptedKey
	var ids []uint64
	password := false
	for {
		head, err := m.packets.Peek(1)
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return m.damagedArmour(err)
		}
		tag := tagOf(head[0])
		switch tag {
		case tagPublicKeyEncrypted, tagPasswordEncrypted, tagMarker, tagPadding:
		case tagProtected, tagAEAD:
			if len(ids) == 0 && password {
				return refused("is encrypted by a passphrase alone (gpg --symmetric); encrypt it for the public key of its audience (gpg --encrypt --recipient)")
			}
			return m.decrypt(recipients, ids)
		case tagUnprotected:
			return refused("has no protection against changes; encrypt it by a current program (gpg without --rfc2440 and --disable-mdc)")
		default:
			return refused("is not encrypted, or damaged; encrypt it for the public key of its audience (gpg --encrypt --recipient)")
		}
		p, err := packet.Read(header)
		if header.N <= 0 {
			return refused("has more recipients than fit into %d KiB; encrypt it for fewer", maxHeader>>10)
		}
		var unsupported pgperrors.UnsupportedError
		switch {
		case errors.As(err, &unsupported):
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return m.damagedArmour(err)
		}
		password = password || tag == tagPasswordEncrypted
		if tag == tagPublicKeyEncrypted {
			if e, ok := p.(*packet.EncryptedKey); ok {
				ids = append(ids, e.KeyId)
				if err == nil {
					recipients = append(recipients, e)
				}
			}
		}
	}
}

// damagedArmour describes an error in armour or in the data before the encrypted part. Other errors come from the file.
func (m *message) damagedArmour(err error) error {
	var structural pgperrors.StructuralError
	var corrupt base64.CorruptInputError
	if errors.As(err, &structural) || errors.As(err, &corrupt) {
		return refused("is damaged: its armour or the list of its recipients cannot be read; encrypt it again and upload it again")
	}
	return err
}

// decrypt tries the keys for the recipients.
func (m *message) decrypt(recipients []*packet.EncryptedKey, ids []uint64) error {
	p, err := packet.Read(m.packets)
	if err != nil {
		return m.reason(err)
	}
	data, ok := p.(packet.EncryptedDataPacket)
	if !ok {
		return altered
	}
	meant := false // encrypted for one of our keys
	for _, r := range recipients {
		for _, entity := range m.ring.private {
			for _, key := range entity.DecryptionKeys(r.KeyId, time.Time{}, m.config) {
				if r.KeyId != 0 && key.PublicKey.KeyId != r.KeyId || key.PrivateKey == nil {
					continue
				}
				meant = meant || r.KeyId != 0
				decrypted, err := decryptBy(r, key.PrivateKey, data, m.config)
				if err == nil {
					m.decrypted, m.by = &remembering{ReadCloser: decrypted}, entity
					return nil
				}
				var unsupported pgperrors.UnsupportedError
				if errors.As(err, &unsupported) {
					return refused("is encrypted by a cipher that is not supported; use AES (gpg --cipher-algo AES256)")
				}
			}
		}
	}
	if meant {
		return altered
	}
	return m.notForUs(ids)
}

// decryptBy decrypts data with the session key that is encrypted for a private key.
func decryptBy(r *packet.EncryptedKey, private *packet.PrivateKey, data packet.EncryptedDataPacket, cfg *packet.Config) (io.ReadCloser, error) {
	if err := r.Decrypt(private, cfg); err != nil {
		return nil, err
	}
	return data.Decrypt(r.CipherFunc, r.Key)
}

// notForUs returns an error that names the recipients of a message.
func (m *message) notForUs(ids []uint64) error {
	var named []string
	hidden := false
	for _, id := range ids {
		hidden = hidden || id == 0
		if id != 0 && len(named) < maxNamed {
			named = append(named, fmt.Sprintf("%016X", id))
		}
	}
	whom := "for nobody that it names"
	switch {
	case len(named) > 0:
		whom = "for the PGP keys " + strings.Join(named, ", ")
		if len(ids) > len(named) {
			whom += " and others"
		}
	case hidden:
		whom = "for hidden recipients (gpg --hidden-recipient)"
	}
	ours := make([]string, 0, maxNamed)
	for _, e := range m.ring.private[:min(len(m.ring.private), maxNamed)] {
		for _, key := range e.DecryptionKeys(0, time.Time{}, m.config) {
			ours = append(ours, fmt.Sprintf("%016X", key.PublicKey.KeyId))
		}
	}
	if len(ours) == 0 {
		return refused("is encrypted %s, and there is no key to open it", whom)
	}
	return refused("is encrypted %s, and not for the key that opens it here, %s; encrypt it for that one", whom, strings.Join(ours, ", "))
}

// reason describes an error of the library.
func (m *message) reason(err error) error {
	var unsupported pgperrors.UnsupportedError
	var own *Error
	if m.decrypted != nil && m.decrypted.err != nil {
		err = m.decrypted.err
	}
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, pgperrors.ErrKeyIncorrect):
		return refused("holds another encrypted message; encrypt it once")
	case errors.Is(err, pgperrors.ErrMessageTooLarge), m.n > *m.config.MaxDecompressedMessageSize-maxHeader:
		return refused("unpacks to more than its size allows; it is refused as a decompression bomb")
	case errors.As(err, &unsupported):
		return refused("uses something of PGP that is not supported (%s); encrypt it by the usual settings of gpg", plain(unsupported))
	}
	return altered
}

// Read implements io.Reader.
func (m *message) Read(p []byte) (int, error) {
	if m.end != nil {
		return 0, m.end
	}
	n, err := m.details.UnverifiedBody.Read(p)
	m.n += int64(n)
	if err == nil {
		return n, nil
	}
	m.end = io.EOF
	if err != io.EOF {
		m.end = m.reason(err)
	} else if why := m.verified(); why != nil {
		m.end = why
	}
	m.keys.rings.Put(m.ring)
	m.ring = nil
	return n, m.end
}

// verified checks the message after its end.
func (m *message) verified() error {
	if err := m.decrypted.Close(); err != nil {
		return altered
	}
	if err := m.nothingBehind(); err != nil {
		return err
	}
	if len(m.ring.verify) == 0 {
		return nil
	}
	signer, d := m.ring.verify[0], m.details
	wanted := fmt.Sprintf("%016X", signer.PrimaryKey.KeyId)
	now := m.keys.now()
	if _, err := signer.VerifyPrimaryKey(now.Add(skew), m.config); err != nil || signer.Revoked(now) {
		return refused("must be signed by the key %s, which has expired or was revoked; give the server the renewed key, and the audience its id", wanted)
	}
	switch {
	case !d.IsSigned:
		return refused("is not signed, and must be signed by the key %s (gpg --sign --encrypt)", wanted)
	case errors.Is(d.SignatureError, pgperrors.ErrUnknownIssuer):
		return refused("is signed by another key than %s", wanted)
	case d.SignatureError != nil:
		return refused("has a signature that is not valid (%s); sign it again by the key %s", plain(d.SignatureError), wanted)
	case d.Signature == nil || d.SignedBy == nil || d.SignedBy.Entity != signer:
		return refused("has no valid signature of the key %s", wanted)
	}
	if meant := d.Signature.IntendedRecipients; len(meant) > 0 && !slices.ContainsFunc(meant, func(r *packet.Recipient) bool {
		return bytes.Equal(r.Fingerprint, m.by.PrimaryKey.Fingerprint)
	}) {
		return refused("was signed for others: its signature names recipients, and the key that opens it here is not among them")
	}
	return nil
}

// nothingBehind checks that the file ends with the message. Blank lines may follow it.
func (m *message) nothingBehind() error {
	more := refused("has something behind the message; a file must be one message: encrypt the data as one, or upload several files")
	if m.armour == nil {
		return blank(m.stored, more)
	}
	if _, err := m.packets.ReadByte(); err != io.EOF {
		if err == nil {
			return more
		}
		return m.damagedArmour(err)
	}
	line, err := m.stored.ReadSlice('\n')
	if err != nil && err != io.EOF {
		return more
	}
	if text := bytes.TrimSpace(line); len(text) > 0 && !bytes.HasPrefix(text, []byte("-----END PGP ")) {
		return more
	}
	return blank(m.stored, more)
}

// blank reads the rest of a file, which may contain only white space and padding.
func blank(r *bufio.Reader, more error) error {
	for {
		c, err := r.ReadByte()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case strings.IndexByte(" \t\r\n\x00\x1a", c) < 0:
			return more
		}
	}
}
