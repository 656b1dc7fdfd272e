package ingest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/profile"
)

const (
	batchRows    = 16 << 10  // maximum rows of an Arrow batch for a data file
	rowGroupRows = 64 << 10  // a row group ends after the part of a bucket with which it reaches this number of rows
	dataFileSize = 128 << 20 // a data file ends after the row group with which it reaches this number of bytes
)

// output writes the decisions of the merge of a range of buckets: data files, deleted rows, and the range's part of the
// delta. Only one goroutine uses an output.
type output struct {
	run     *attempt
	rules   mergeRules
	codec   *rowCodec
	buf     []byte
	state   *lake.StateRows
	decoder decoder
	system  systemColumns
	builder *array.RecordBuilder
	added   *lake.AddedValues // values of columns that other programs added
	batch   int               // maximum rows of the builder
	pending int               // rows in the builder
	bytes   int               // bytes of the payloads in the builder
	memory  int               // bytes of a row group; a batch has a quarter of them
	group   int               // rows in the open row group
	file    *lake.FileWriter
	written []lake.DataFile
	retired [][]int64 // positions, by index of the state's files
	changes changeWriter
	joined  *joined // the changes, if they are those of a first run
	keys    [2][]identity.Key
	content uint64 // sum of the content hashes of the rows put minus those retired, modulo 2^64
}

// changeWriter receives the changes of a range. It is a part of the delta, or a spill that first sorts the changes if
// members have further identities.
type changeWriter interface {
	write(profile.Change) error
}

// systemColumns are the builders of the system columns.
type systemColumns struct {
	id          *array.FixedSizeBinaryBuilder
	content     *array.Int64Builder
	since, seen *array.TimestampBuilder
	seq         *array.Int64Builder
	file        *array.Int32Builder
	line        *array.Int64Builder
}

func newOutput(run *attempt, rules mergeRules, stateFiles int, changes changeWriter) *output {
	o := &output{run: run, rules: rules, codec: run.codec, retired: make([][]int64, stateFiles), changes: changes}
	o.joined, _ = changes.(*joined)
	o.builder = array.NewRecordBuilder(memory.DefaultAllocator, run.dataset.Schema())
	o.added = run.dataset.NewAddedValues()
	o.memory = max(run.perWorker(2), leastPart)
	o.batch = min(batchRows, max(o.memory/4/rowWidth(o.builder), 1))
	o.builder.Reserve(o.batch)
	n := len(run.codec.fields)
	o.decoder = decoder{codec: run.codec, cols: o.builder.Fields()[:n]}
	sys := o.builder.Fields()[n:]
	o.system = systemColumns{
		id:      sys[0].(*array.FixedSizeBinaryBuilder),
		content: sys[1].(*array.Int64Builder),
		since:   sys[2].(*array.TimestampBuilder),
		seen:    sys[3].(*array.TimestampBuilder),
		seq:     sys[4].(*array.Int64Builder),
		file:    sys[5].(*array.Int32Builder),
		line:    sys[6].(*array.Int64Builder),
	}
	return o
}

// rowWidth returns the approximate number of bytes that a builder reserves for a row.
func rowWidth(b *array.RecordBuilder) int {
	return 9*len(b.Fields()) + 16 // values (of texts only the offsets), validity bits, and the key
}

func (o *output) bind(buf []byte, st *lake.StateRows) { o.buf, o.state = buf, st }

func (o *output) put(r row, since int64, was int) error { return o.putSeen(r, since, o.rules.now, was) }

func (o *output) putSeen(r row, since, seen int64, was int) error {
	head := o.buf[r.at:]
	o.content += contentOf(head)
	payload := payloadOf(head)
	rest := o.decoder.append(payload)
	key := r.key()
	o.system.id.Append(key[:])
	o.system.content.UnsafeAppend(int64(contentOf(head)))
	o.system.since.UnsafeAppend(arrow.Timestamp(since))
	o.system.seen.UnsafeAppend(arrow.Timestamp(seen))
	o.system.seq.UnsafeAppend(o.run.seq)
	o.system.file.UnsafeAppend(int32(r.file()))
	o.system.line.UnsafeAppend(r.line())
	if o.run.adoption != nil {
		o.added.AddEncoded(rest)
	} else {
		o.added.AddRow(o.state, len(o.codec.secondary), was)
	}
	o.pending++
	o.bytes += len(payload)
	if o.pending == o.batch || o.bytes >= o.memory/4 {
		return o.flush()
	}
	return nil
}

func (o *output) addContent(sum uint64) { o.content += sum }

// contentOf returns the content hash of a record.
func contentOf(head []byte) uint64 { return binary.LittleEndian.Uint64(head[offContent:]) }

func payloadOf(head []byte) []byte {
	return head[headSize : headSize+int(binary.LittleEndian.Uint32(head[offLength:]))]
}

func (o *output) retire(i int) error {
	f := o.state.File[i]
	o.retired[f] = append(o.retired[f], o.state.Pos[i])
	o.content -= uint64(o.state.Row[i])
	return nil
}

func (o *output) enter(r row, since int64, was int) error {
	return o.enterSeen(r, since, o.rules.now, was)
}

func (o *output) enterSeen(r row, since, seen int64, was int) error {
	if o.joined != nil {
		return o.joined.add(since/1e6, seen/1e6)
	}
	key := r.key()
	c := profile.Change{Member: key, Since: since / 1e6, Seen: seen / 1e6}
	renew := !o.rules.full || was < 0 || since == o.rules.now // otherwise the refresh stamp renews the membership
	if renew {
		c.Key = key
		if err := o.changes.write(c); err != nil {
			return err
		}
	}
	if len(o.codec.secondary) == 0 {
		return nil
	}
	now := o.codec.secondaryKeys(o.keys[0][:0], payloadOf(o.buf[r.at:]), key)
	before := o.codec.stateKeys(o.keys[1][:0], o.state, was, key)
	o.keys = [2][]identity.Key{now, before}
	for _, k := range now {
		if renew || !slices.Contains(before, k) {
			c.Key = k
			if err := o.changes.write(c); err != nil {
				return err
			}
		}
	}
	for _, k := range before {
		if !slices.Contains(now, k) {
			gone := profile.Change{Key: k, Member: key, Exited: true, Since: c.Since, Seen: c.Seen, At: o.rules.now / 1e6}
			if err := o.changes.write(gone); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *output) exit(i int, at int64) error {
	return o.gone(i, profile.Change{Exited: true, Since: o.state.Since[i] / 1e6, Seen: o.state.Seen[i] / 1e6, At: at / 1e6})
}

func (o *output) erase(i int) error {
	if err := o.retire(i); err != nil {
		return err
	}
	return o.gone(i, profile.Change{Erased: true, Since: o.rules.now / 1e6, Seen: o.rules.now / 1e6})
}

// gone writes a change for each identity of the member in row i.
func (o *output) gone(i int, c profile.Change) error {
	c.Member = o.state.IDs[i]
	o.keys[1] = o.codec.stateKeys(append(o.keys[1][:0], c.Member), o.state, i, c.Member)
	for _, k := range o.keys[1] {
		c.Key = k
		if err := o.changes.write(c); err != nil {
			return err
		}
	}
	return nil
}

// endPart ends the row group if it is large enough, and then the file if it is large enough.
func (o *output) endPart() error {
	full := o.file != nil && o.file.Bytes() >= dataFileSize // few but very long rows can fill a file
	if o.group+o.pending < rowGroupRows && !full {
		return nil
	}
	if err := o.flush(); err != nil {
		return err
	}
	o.group = 0
	o.file.EndRowGroup()
	if o.file.Bytes() >= dataFileSize {
		return o.endFile()
	}
	return nil
}

func (o *output) flush() error {
	if o.pending == 0 {
		return nil
	}
	if o.file == nil {
		f, err := o.run.dataset.NewFile(o.run.dir, lake.FileOptions{Memory: o.memory})
		if err != nil {
			return fmt.Errorf("write the dataset: %w", err)
		}
		o.file = f
	}
	own := o.builder.NewRecordBatch()
	defer own.Release()
	rec, err := o.added.Join(own)
	if err != nil {
		return fmt.Errorf("write the dataset: %w", err)
	}
	defer rec.Release()
	o.builder.Reserve(o.batch)
	o.group += o.pending
	o.pending, o.bytes = 0, 0
	if err := o.file.Write(rec); err != nil {
		return fmt.Errorf("write the dataset: %w", err)
	}
	return nil
}

func (o *output) endFile() error {
	if o.file == nil {
		return nil
	}
	f, err := o.file.Close()
	if err != nil {
		return fmt.Errorf("write the dataset: %w", err)
	}
	o.written = append(o.written, f)
	o.file = nil
	return nil
}

// close ends the last file.
func (o *output) close() error {
	if err := o.flush(); err != nil {
		return err
	}
	return o.endFile()
}

func (o *output) addTo(m *merged, stateFiles []lake.DataFile) {
	m.content += o.content
	for _, f := range o.written {
		m.nWritten += f.Rows
	}
	m.files = append(m.files, o.written...)
	for i, positions := range o.retired {
		if len(positions) > 0 {
			path := stateFiles[i].Path
			m.retired[path] = append(m.retired[path], positions...)
			m.nRetired += int64(len(positions))
		}
	}
}

// abort removes the unfinished file.
func (o *output) abort() {
	if o.file != nil {
		o.file.Abort()
	}
	o.added.Release()
	o.builder.Release()
}

// changeSpill sorts the changes of all ranges. The change of a further identity can belong to another range than its
// member.
type changeSpill struct {
	spill *spill
	w     *spillWriter
	rec   []byte
}

// Size of a spilled change: key 16, member 16, since 8, seen 8, at 8, flags 1 (exited 1, erased 2).
const changeSize = 57

func (c *changeSpill) write(ch profile.Change) error {
	c.rec = appendSpilled(c.rec[:0], &ch)
	return c.w.write(&ch.Key, c.rec)
}

func appendSpilled(rec []byte, ch *profile.Change) []byte {
	rec = append(append(rec, ch.Key[:]...), ch.Member[:]...)
	for _, v := range [...]int64{ch.Since, ch.Seen, ch.At} {
		rec = binary.LittleEndian.AppendUint64(rec, uint64(v))
	}
	flags := byte(0)
	if ch.Exited {
		flags |= 1
	}
	if ch.Erased {
		flags |= 2
	}
	return append(rec, flags)
}

// sortedChanges returns the changes of a bucket of the spill, sorted by (Key, Member).
func sortedChanges(buf []byte) []profile.Change {
	list := changesOf(buf)
	slices.SortFunc(list, byKeys)
	return list
}

func byKeys(a, b profile.Change) int {
	return cmp.Or(a.Key.Compare(b.Key), a.Member.Compare(b.Member))
}

// changesOf returns the changes of a bucket of the spill. The changes of one writer keep their order.
func changesOf(buf []byte) []profile.Change {
	list := make([]profile.Change, 0, len(buf)/changeSize)
	for ; len(buf) > 0; buf = buf[changeSize:] {
		list = append(list, spilledChange(buf))
	}
	return list
}

// spilledChange decodes a record of the spill.
func spilledChange(rec []byte) (c profile.Change) {
	copy(c.Key[:], rec)
	copy(c.Member[:], rec[16:])
	c.Since = int64(binary.LittleEndian.Uint64(rec[32:]))
	c.Seen = int64(binary.LittleEndian.Uint64(rec[40:]))
	c.At = int64(binary.LittleEndian.Uint64(rec[48:]))
	c.Exited, c.Erased = rec[56]&1 != 0, rec[56]&2 != 0
	return c
}
