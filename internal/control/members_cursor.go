package control

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"roster/internal/audience"
)

// memberPosition is a place in a list of members: in a snapshot of the dataset, the rows after a number of live
// ones that a scan from a file's row brings. At is the time that decides who is a member, in epoch microseconds;
// all pages of a list have the same.
type memberPosition struct {
	Snapshot int64 `json:"s"`
	At       int64 `json:"t"`
	File     int   `json:"f"`
	Row      int64 `json:"r"`
	Skip     int   `json:"k"`
}

// checksumSize is the length of a cursor's checksum, in bytes.
const checksumSize = 12

// cursor returns the position as clients see it. Its checksum finds mistakes and cursors of another audience; it
// keeps no secret, since whoever may use a cursor may read the whole list.
func (p memberPosition) cursor(id audience.ID) string {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers can always be encoded
	}
	return base64.RawURLEncoding.EncodeToString(append(checksum(id, data), data...))
}

// readCursor reads a cursor that cursor returned for the audience.
func readCursor(id audience.ID, text string) (p memberPosition, err error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < checksumSize || !bytes.Equal(data[:checksumSize], checksum(id, data[checksumSize:])) ||
		json.Unmarshal(data[checksumSize:], &p) != nil || p.File < 0 || p.Row < 0 || p.Skip < 0 {
		return p, audience.InvalidField("cursor", "must be the x-next-cursor of the page before")
	}
	return p, nil
}

func checksum(id audience.ID, data []byte) []byte {
	h := sha256.New()
	h.Write([]byte("members of " + id + "\x00"))
	h.Write(data)
	return h.Sum(nil)[:checksumSize]
}
