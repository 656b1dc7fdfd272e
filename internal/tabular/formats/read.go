package formats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/text/transform"

	"roster/internal/audience"
	"roster/internal/pgp"
	"roster/internal/tabular"
	"roster/internal/tabular/csv"
	"roster/internal/tabular/input"
	"roster/internal/tabular/json"
	"roster/internal/tabular/parquet"
	"roster/internal/unpack"
)

// Read reads a file of any type and compression. The first bytes of the file, never its name, decide what opts.Format
// leaves open; see the package comment. If opts.Format contradicts the content, Read returns an error. The header's
// Format has the type, the compression and the other detected options. An error of emit ends the reading and is returned,
// except that Read returns nil after fs.SkipAll.
func Read(ctx context.Context, f tabular.File, columns []tabular.Column, opts tabular.Options, emit tabular.Emit) (tabular.Header, error) {
	c, err := openContent(ctx, f, opts.Format)
	if err != nil {
		return tabular.Header{}, err
	}
	defer c.close()
	opts.Format.Compression = string(c.method)
	ended := make(chan error, 1) // the first error of emit
	take := func(worker int, b *tabular.Batch) error {
		err := emit(worker, b)
		if err != nil {
			select {
			case ended <- err:
			default:
			}
			c.cancel() // ends reads that wait for a silent source
		}
		return err
	}
	var h tabular.Header
	switch c.typ {
	case audience.Parquet:
		h, err = parquet.Read(ctx, c.file, columns, opts, take)
	case audience.JSON:
		h, err = json.Read(ctx, c.text, columns, opts, take)
	default:
		h, err = csv.Read(ctx, c.text, columns, opts, take)
	}
	h.Skipped = c.skipped
	select {
	case err = <-ended: // a read that take canceled may have failed sooner
	default:
	}
	if errors.Is(err, fs.SkipAll) {
		return h, nil
	}
	if err == nil {
		err = c.verify()
	}
	return h, fileError(err)
}

// verify reads encrypted content to its end, where its integrity is checked.
func (c *content) verify() error {
	if c.decrypted == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, io.MultiReader(c.text, c.decrypted))
	return err
}

// content is a file with known compression and type.
type content struct {
	file      tabular.File // the file to read; for an encrypted file it may be a scratch file
	decrypted io.Reader    // of an encrypted file that is not read to its end yet
	method    unpack.Method
	typ       audience.FileType
	skipped   []string           // files of a zip file that contain no data
	head      []byte             // the first bytes of the text
	text      io.Reader          // unpacked; for a Parquet file the stored bytes
	cancel    context.CancelFunc // ends reads of the stored bytes
	closes    []io.Closer
}

func (c *content) close() {
	c.cancel()
	for i := len(c.closes) - 1; i >= 0; i-- {
		c.closes[i].Close()
	}
}

// openContent detects what a file is, as far as the format leaves it open, and opens it.
func openContent(ctx context.Context, f tabular.File, asked audience.Format) (c *content, err error) {
	c = &content{}
	ctx, c.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			c.close()
			err = fileError(err)
		}
	}()
	if err := c.open(ctx, f, asked.Compression); err != nil {
		return c, err
	}
	isParquetFile := false
	switch {
	case len(c.head) == 0:
		return c, &tabular.FileError{Code: "EMPTY_FILE", Message: "the file is empty"}
	case c.method == unpack.None:
		if isParquetFile, err = parquet.Is(ctx, c.file, c.head); err != nil {
			return c, err
		}
	default:
		if err := notPackedTwice(c); err != nil {
			return c, err
		}
	}
	if kind := foreign(c.head); kind != "" {
		return c, tabular.WrongFormat("the file is %s, which is not supported; convert it to CSV, JSON or Parquet, plain or compressed with gzip, zstd, bzip2 or zip", kind)
	}
	c.typ, err = typeOf(c.head, asked, isParquetFile)
	return c, err
}

// open opens a file, detects its compression and reads the first bytes of its text.
func (c *content) open(ctx context.Context, f tabular.File, asked string) error {
	stored, err := f.Open(ctx, 0, -1)
	if err != nil {
		return tabular.Unreadable(err)
	}
	c.closes = append(c.closes, stored)
	c.file = f
	if c.head, c.text, err = input.Window(ctx, stored); err != nil {
		return err
	}
	if err := c.decrypt(ctx); err != nil {
		return err
	}
	c.method = unpack.Detect(c.head)
	if len(c.head) > 0 && asked != "" && asked != string(c.method) {
		return tabular.WrongFormat("sourceSpec.format.compression says %s, but the content of the file is %s; correct or remove the setting", asked, compression(c.method))
	}
	var unpacked io.ReadCloser
	switch c.method {
	case unpack.None:
		return nil
	case unpack.Zip:
		if unpacked, c.skipped, err = unpack.OpenZip(ctx, c.file); err != nil {
			return notOpened(err)
		}
	default:
		unpacked = unpack.NewReader(c.text, c.method, f.Size)
	}
	c.closes = append(c.closes, unpacked)
	c.head, c.text, err = input.Window(ctx, unpacked)
	return err
}

// decrypt opens an encrypted file. It refuses a file that is encrypted against the audience's settings, or is not
// encrypted although they require it.
func (c *content) decrypt(ctx context.Context) error {
	e, kind := c.file.Envelope, pgp.Detect(c.head)
	switch {
	case len(c.head) == 0 || kind == pgp.None && (e == nil || !e.Demanded):
		return nil
	case kind != pgp.Message && e != nil && e.Demanded:
		return notPGP("the file is %s, but sourceSpec.encryption requires files that are encrypted for its key; encrypt the file (gpg --encrypt --recipient), or remove sourceSpec.encryption", kind)
	case kind != pgp.Message:
		return notPGP("the file is %s; upload the data itself, either plain, or encrypted with PGP and with sourceSpec.encryption set", kind)
	case e == nil:
		return notPGP("the file is encrypted with PGP; name its key in sourceSpec.encryption (publicKeyId), or upload the file without encryption")
	}
	decrypted, err := unpack.Decrypt(ctx, c.text, c.file.Size, e)
	if err != nil {
		return err
	}
	c.closes = append(c.closes, decrypted)
	c.decrypted = decrypted
	if c.head, c.text, err = input.Window(ctx, decrypted); err != nil {
		return err
	}
	switch {
	case len(c.head) > 0 && pgp.Detect(c.head) != pgp.None:
		return notPGP("the content of the encrypted file is %s; encrypt the data only once", pgp.Detect(c.head))
	case unpack.Detect(c.head) != unpack.Zip && !bytes.HasPrefix(c.head, []byte(parquet.Magic)):
		return nil
	}
	spooled, closer, err := e.Spool(ctx, c.text, c.file.Size)
	if err != nil {
		return err
	}
	c.closes = append(c.closes, closer)
	c.file, c.decrypted = spooled, nil
	c.text, err = spooled.Open(ctx, 0, -1)
	return err
}

func notPGP(message string, args ...any) error {
	return &tabular.FileError{Code: tabular.CodeEncryption, Message: fmt.Sprintf(message, args...)}
}

func compression(m unpack.Method) string {
	if m == unpack.None {
		return "not compressed"
	}
	return string(m)
}

// notPackedTwice refuses a compressed file whose content is not text.
func notPackedTwice(c *content) error {
	inner := ""
	switch {
	case unpack.Detect(c.head) != unpack.None:
		inner = fmt.Sprintf("a %s file", unpack.Detect(c.head))
	case bytes.HasPrefix(c.head, []byte(parquet.Magic)) && bytes.IndexByte(c.head, 0) >= 0:
		inner = "a Parquet file, which is compressed in itself"
	case isTar(c.head):
		inner = "a tar archive"
	default:
		return nil
	}
	return &tabular.FileError{Code: "COMPRESSION", Message: fmt.Sprintf("the %s file contains %s; decompress it once", c.method, inner)}
}

// isTar reports whether a file has the mark of a tar archive in its place.
func isTar(head []byte) bool {
	const mark = 257
	return len(head) > mark && bytes.HasPrefix(head[mark:], []byte("ustar"))
}

// foreigners are the first bytes of unsupported types of files that people send. No text begins with them.
var foreigners = []struct{ bytes, name string }{
	{"\xfd7zXZ\x00", "compressed by xz"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"Rar!\x1a\x07", "a RAR archive"},
	{"\x04\x22\x4d\x18", "compressed by lz4"},
	{"\xff\x06\x00\x00sNaPpY", "compressed by snappy"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet or document of an old Office"},
	{"%PDF-", "a PDF document"},
	{"\xff\xfe\x00\x00", "text in UTF-32"},
	{"\x00\x00\xfe\xff", "text in UTF-32"},
	{"\x1f\x9d", "compressed by compress (.Z)"},
	{"Obj\x01", "an Avro file"},
	{"ORC\x08", "an ORC file"},
	{"ARROW1\x00\x00", "an Arrow file"},
	{"SQLite format 3\x00", "an SQLite database"},
}

// foreign names the type of a known, unsupported file, "" for others.
func foreign(head []byte) string {
	if isTar(head) {
		return "a tar archive"
	}
	for _, f := range foreigners {
		if bytes.HasPrefix(head, []byte(f.bytes)) {
			return f.name
		}
	}
	return ""
}

// typeOf returns the type of a file whose text begins with head: the requested one, unless the content contradicts it.
func typeOf(head []byte, asked audience.Format, parquet bool) (audience.FileType, error) {
	found := audience.CSV
	switch {
	case parquet:
		found = audience.Parquet
	case beginsAsJSON(head, asked.Encoding):
		found = audience.JSON
	}
	switch {
	case asked.Type == "" || asked.Type == found:
		return found, nil
	case asked.Type == audience.Parquet || found == audience.Parquet:
		return "", tabular.WrongFormat("sourceSpec.format.type says %s, but the content of the file is %s; correct or remove the setting", asked.Type, strings.ToLower(string(found)))
	}
	return asked.Type, nil
}

// beginsAsJSON reports whether a text begins as JSON objects or an array do and a CSV header does not: with { before a
// quote or }, or with [ before {, [, a quote or ].
func beginsAsJSON(head []byte, encoding string) bool {
	const enough = 4 << 10
	head = head[:min(len(head), enough)]
	if t := input.Decoder(input.EncodingOf(head, encoding)); t != nil {
		head, _, _ = transform.Bytes(t, head) // a character that is cut off at the end does not matter
	}
	head = bytes.TrimPrefix(head, input.Utf8Mark)
	head = head[input.Spaces(head):]
	if len(head) == 0 {
		return false
	}
	after := head[1:]
	after = after[input.Spaces(after):]
	switch {
	case len(after) == 0:
		return false
	case head[0] == '{':
		return after[0] == '"' || after[0] == '}'
	}
	return head[0] == '[' && strings.IndexByte(`{["]`, after[0]) >= 0
}

// notOpened converts an error of opening a compressed file.
func notOpened(err error) error {
	var refused *unpack.Error
	if errors.As(err, &refused) {
		return err
	}
	return tabular.Unreadable(err)
}

// fileError gives an error of decompression its own code, because the parsers would take it for an error of the source.
func fileError(err error) error {
	var refused *unpack.Error
	if !errors.As(err, &refused) {
		return err
	}
	code := "COMPRESSION"
	if refused.Method == unpack.PGP {
		code = tabular.CodeEncryption
	}
	return &tabular.FileError{Code: code, Message: refused.Error(), Err: refused}
}
