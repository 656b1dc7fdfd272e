package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/zeebo/xxh3"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/profile"
)

// A delta part is a file of changes, sorted by (Key, Member):
//
//	magic    8 bytes "RSTDELT1"
//	changes  each: flags 1, key 16, [member 16 when flagOther], then the values that the flags name
//	end      flagEnd, count 8, xxh3 of all preceding bytes 8, little-endian
//
// Since, Seen and At equal the run's time in most changes. Then they are left out.
const (
	deltaMagic = "RSTDELT1"

	flagExited = 1 << 0
	flagOther  = 1 << 1 // the key is not the member's primary identity; member follows
	flagSince  = 1 << 2 // since follows, 8 bytes; otherwise since is the run's time
	flagSeen   = 1 << 3 // seen follows, 8 bytes; otherwise seen is the run's time
	flagAt     = 1 << 4 // at follows, 8 bytes; otherwise at is the run's time if exited, else 0
	flagErased = 1 << 5 // the membership is removed completely
	flagEnd    = 1 << 7

	flagsSized = flagOther | flagSince | flagSeen | flagAt // the flags that determine the size
)

// DeltaFiles is the location of a run's delta. The snapshot contains it.
type DeltaFiles struct {
	Parts   []string `json:"parts"`
	Changes int64    `json:"changes"`
	Time    int64    `json:"time"` // the run's time, epoch seconds
	// Base is the run whose members the changes start from. Nil if unknown.
	Base *deltaBase `json:"base,omitempty"`
	// Incomplete means that the delta does not describe all changes, for example because files with the previous
	// members were damaged. Then only the dataset tells who is a member.
	Incomplete bool `json:"incomplete,omitempty"`
	// Members means that the parts are the run's data files, and that each of their rows is a person who becomes a
	// member at Time. The first run of an audience without further identities has such a delta, so that its keys are
	// not written twice.
	Members bool `json:"members,omitempty"`
}

// deltaBase names a run. The zero value is the empty audience before the first run.
type deltaBase struct {
	Seq int64          `json:"seq"`
	Run audience.RunID `json:"run,omitempty"`
}

// deltaBlock is the size of the blocks in which a part is written, read and hashed, in bytes.
const deltaBlock = 256 << 10

// deltaWriter writes one part of a delta.
type deltaWriter struct {
	w     *bufio.Writer // collects blocks for the file and the hash
	file  io.WriteCloser
	hash  *xxh3.Hasher
	now   int64
	count int64
	buf   []byte
}

func newDeltaWriter(file io.WriteCloser, now int64) (*deltaWriter, error) {
	hash := xxh3.New()
	d := &deltaWriter{w: bufio.NewWriterSize(io.MultiWriter(file, hash), deltaBlock), file: file, hash: hash, now: now}
	_, err := d.w.WriteString(deltaMagic)
	return d, err
}

// write appends a change.
func (d *deltaWriter) write(c profile.Change) error {
	d.buf = appendChange(d.buf[:0], c, d.now)
	d.count++
	_, err := d.w.Write(d.buf)
	return err
}

func appendChange(b []byte, c profile.Change, now int64) []byte {
	flags := byte(0)
	at := int64(0)
	if c.Exited {
		flags |= flagExited
		at = now
	}
	if c.Erased {
		flags |= flagErased
	}
	if c.Member != c.Key {
		flags |= flagOther
	}
	if c.Since != now {
		flags |= flagSince
	}
	if c.Seen != now {
		flags |= flagSeen
	}
	if c.At != at {
		flags |= flagAt
	}
	b = append(b, flags)
	b = append(b, c.Key[:]...)
	if flags&flagOther != 0 {
		b = append(b, c.Member[:]...)
	}
	if flags&flagSince != 0 {
		b = binary.LittleEndian.AppendUint64(b, uint64(c.Since))
	}
	if flags&flagSeen != 0 {
		b = binary.LittleEndian.AppendUint64(b, uint64(c.Seen))
	}
	if flags&flagAt != 0 {
		b = binary.LittleEndian.AppendUint64(b, uint64(c.At))
	}
	return b
}

// close writes the end of the part and makes the part durable.
func (d *deltaWriter) close() error {
	_, err := d.w.Write(binary.LittleEndian.AppendUint64([]byte{flagEnd}, uint64(d.count)))
	if err == nil {
		err = d.w.Flush()
	}
	if err == nil {
		_, err = d.file.Write(binary.LittleEndian.AppendUint64(nil, d.hash.Sum64()))
	}
	return errors.Join(err, d.file.Close())
}

// deltaReader reads one part of a delta.
type deltaReader struct {
	r       io.ReadCloser
	buf     []byte // a block of the file
	at, end int    // the unread range of buf
	hashed  int    // the end of the hashed range of buf
	hash    *xxh3.Hasher
	now     int64
	count   int64
	name    string
}

func newDeltaReader(r io.ReadCloser, name string, now int64) (*deltaReader, error) {
	d := &deltaReader{r: r, buf: make([]byte, deltaBlock), hash: xxh3.New(), now: now, name: name}
	magic, err := d.take(len(deltaMagic))
	if err != nil || string(magic) != deltaMagic {
		r.Close()
		return nil, fmt.Errorf("%w: delta part %s is not a delta file: %w", lake.ErrDamaged, name, errors.Join(err))
	}
	return d, nil
}

// take returns the next n bytes. They are valid until the next call. n must be less than a block.
func (d *deltaReader) take(n int) ([]byte, error) {
	if d.end-d.at < n {
		d.sum()
		d.end = copy(d.buf, d.buf[d.at:d.end])
		d.at, d.hashed = 0, 0
		got, err := io.ReadAtLeast(d.r, d.buf[d.end:], n-d.end)
		d.end += got
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("%w: delta part %s is cut off: %w", lake.ErrDamaged, d.name, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, fmt.Errorf("read delta part %s: %w", d.name, err)
		}
	}
	d.at += n
	return d.buf[d.at-n : d.at], nil
}

// sum adds the consumed bytes to the hash and returns it.
func (d *deltaReader) sum() uint64 {
	d.hash.Write(d.buf[d.hashed:d.at])
	d.hashed = d.at
	return d.hash.Sum64()
}

// Next returns the next change, or io.EOF after the last one of a complete part.
func (d *deltaReader) Next() (profile.Change, error) {
	p, err := d.take(1)
	if err != nil {
		return profile.Change{}, err
	}
	flags := p[0]
	if flags&flagEnd != 0 {
		return profile.Change{}, d.finish()
	}
	if p, err = d.take(changeSizes[flags&flagsSized]); err != nil {
		return profile.Change{}, err
	}
	d.count++
	return decodeChange(p, flags, d.now), nil
}

// changeSizes contains the number of bytes after the flags of a change, by flags.
var changeSizes = func() (sizes [flagsSized + 1]int) {
	for flags := range sizes {
		sizes[flags] = 16 + 16*(flags&flagOther/flagOther) + 8*bits.OnesCount(uint(flags&(flagSince|flagSeen|flagAt)))
	}
	return sizes
}()

func decodeChange(p []byte, flags byte, now int64) profile.Change {
	c := profile.Change{Exited: flags&flagExited != 0, Erased: flags&flagErased != 0, Since: now, Seen: now}
	if c.Exited {
		c.At = now
	}
	p = p[copy(c.Key[:], p):]
	c.Member = c.Key
	if flags&flagOther != 0 {
		p = p[copy(c.Member[:], p):]
	}
	if flags&flagSince != 0 {
		c.Since, p = int64(binary.LittleEndian.Uint64(p)), p[8:]
	}
	if flags&flagSeen != 0 {
		c.Seen, p = int64(binary.LittleEndian.Uint64(p)), p[8:]
	}
	if flags&flagAt != 0 {
		c.At = int64(binary.LittleEndian.Uint64(p))
	}
	return c
}

// finish checks the count and the hash at the end of a part.
func (d *deltaReader) finish() error {
	p, err := d.take(8)
	if err != nil {
		return err
	}
	count, want := int64(binary.LittleEndian.Uint64(p)), d.sum()
	if p, err = d.take(8); err != nil {
		return err
	}
	if count != d.count || binary.LittleEndian.Uint64(p) != want {
		return fmt.Errorf("%w: delta part %s does not match its checksum", lake.ErrDamaged, d.name)
	}
	return io.EOF
}

// Close closes the part's file.
func (d *deltaReader) Close() error { return d.r.Close() }

// delta is a run's delta in the lake. It implements profile.Delta.
type delta struct {
	files   DeltaFiles
	dataset *lake.Dataset
}

var _ profile.Delta = delta{}

func (d delta) Parts() int   { return len(d.files.Parts) }
func (d delta) Count() int64 { return d.files.Changes }

// Base implements profile.Delta.
func (d delta) Base() (profile.Pointer, bool) {
	if d.files.Base == nil {
		return profile.Pointer{}, false
	}
	return profile.Pointer{Seq: d.files.Base.Seq, Run: d.files.Base.Run}, true
}

func (d delta) Open(_ context.Context, part int) (profile.ChangeReader, error) {
	name := d.files.Parts[part]
	if d.files.Members {
		keys, err := d.dataset.OpenKeys(name)
		if err != nil {
			return nil, fmt.Errorf("open the data file %s: %w", name, err)
		}
		return &memberReader{keys, d.files.Time}, nil
	}
	f, err := d.dataset.OpenFile(name)
	if err != nil {
		return nil, fmt.Errorf("open delta part %s: %w", name, err)
	}
	return newDeltaReader(f, name, d.files.Time)
}

// memberReader reads the new members from a data file.
type memberReader struct {
	*lake.KeyReader
	now int64
}

// Next implements profile.ChangeReader.
func (r *memberReader) Next() (profile.Change, error) {
	key, err := r.KeyReader.Next()
	return joinedAt(key, r.now), err
}
