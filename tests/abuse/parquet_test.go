package abuse

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// thrift appends a field of Thrift's compact protocol: its type, number and value.
func thrift(b []byte, typ byte, id int64, value ...byte) []byte {
	return append(append(append(b, typ), number(id)...), value...)
}

func number(v int64) []byte { return binary.AppendUvarint(nil, uint64(v<<1)^uint64(v>>63)) }

func words(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }

// Types of the protocol.
const (
	i64, binaryType, listType, structType = 6, 8, 9, 12
)

// element is an element of a schema: a group with a number of children, or a text column if there are none.
func element(name string, children int64) []byte {
	b := thrift(nil, binaryType, 4, words(name)...)
	if children == 0 {
		b = thrift(b, i64, 1, number(6)...)
	} else {
		b = thrift(b, i64, 5, number(children)...)
	}
	return append(b, 0)
}

// pagesOf returns a column of one page.
type pagesOf struct {
	encoding, values, plain int64
	codec                   int64
	body                    []byte
}

// parquetFile returns a file of text columns with one page each. more are n additional elements of the schema, below a
// group, without column chunks.
func parquetFile(rows int64, names []string, columns []pagesOf, more []byte, n int) []byte {
	file := []byte("PAR1")
	var chunks []byte
	for _, c := range columns {
		at := int64(len(file))
		head := thrift(thrift(thrift(nil, i64, 1, number(0)...), i64, 2, number(c.plain)...), i64, 3, number(int64(len(c.body)))...)
		data := thrift(thrift(thrift(thrift(nil, i64, 1, number(c.values)...), i64, 2, number(c.encoding)...), i64, 3, number(3)...), i64, 4, number(3)...)
		head = append(thrift(head, structType, 5, append(data, 0)...), 0)
		file = append(append(file, head...), c.body...)
		size := int64(len(file)) - at
		meta := thrift(thrift(thrift(thrift(nil, i64, 1, number(6)...), i64, 4, number(c.codec)...), i64, 7, number(size)...), i64, 9, number(at)...)
		chunks = append(thrift(chunks, structType, 3, append(meta, 0)...), 0)
	}
	schema := element("schema", int64(len(names)+min(n, 1)))
	for _, name := range names {
		schema = append(schema, element(name, 0)...)
	}
	schema = append(schema, more...)
	list := func(n int, items []byte) []byte {
		return append(binary.AppendUvarint([]byte{0xf0 | structType}, uint64(n)), items...)
	}
	group := append(thrift(thrift(nil, listType, 1, list(len(columns), chunks)...), i64, 3, number(rows)...), 0)
	footer := thrift(thrift(nil, listType, 2, list(1+len(names)+n, schema)...), listType, 4, list(1, group)...)
	footer = append(footer, 0)
	return append(binary.LittleEndian.AppendUint32(append(file, footer...), uint32(len(footer))), "PAR1"...)
}

func plain(text string) pagesOf {
	body := append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
	return pagesOf{values: 1, plain: int64(len(body)), body: body}
}

// TestParquetClaims reads files that claim much more than they contain, with a run and with a look at the file. Each is
// read, or refused with a readable error. The server and look-ups continue.
func TestParquetClaims(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(500)
	children, err := hex.DecodeString("504152311502192c48017315feffffff0f00150c250018046d61696c001602190c001e00000050415231")
	if err != nil {
		t.Fatal(err)
	}
	const depth = 2_000_000
	deep := bytes.Repeat(element("group", 1), depth)
	var lies []pagesOf
	names := []string{"email"}
	lies = append(lies, plain("ada@example.com"))
	for i := range 200 {
		names = append(names, fmt.Sprintf("c%d", i))
		lies = append(lies, pagesOf{values: 1, plain: 255 << 20, codec: 6, body: []byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00")})
	}
	delta := func(n ...uint64) (b []byte) {
		for _, v := range n {
			b = binary.AppendUvarint(b, v)
		}
		return append(b, 0, 0, 0, 0)
	}
	block := delta(1<<32-128, 1, 2)
	for name, c := range map[string]struct {
		file []byte
		fine bool
	}{
		"children.parquet": {file: children},
		"deep.parquet":     {parquetFile(1, []string{"email"}, []pagesOf{plain("ada@example.com")}, append(deep, element("x", 0)...), depth+1), true},
		"beside.parquet":   {parquetFile(1, []string{"email"}, []pagesOf{plain("ada@example.com")}, element("x", 0), 1), true},
		"pages.parquet":    {file: parquetFile(1, []string{"email"}, lies[1:2], nil, 0)},
		"unwanted.parquet": {parquetFile(1, names, lies, nil, 0), true},
		"numbers.parquet":  {file: parquetFile(2, []string{"email"}, []pagesOf{{encoding: 6, values: 2, plain: int64(len(block)), body: block}}, nil, 0)},
		"texts.parquet":    {file: parquetFile(2, []string{"email"}, []pagesOf{{encoding: 7, values: 2, plain: int64(len(block)), body: block}}, nil, 0)},
		"rows.parquet":     {file: parquetFile(1<<38, []string{"email"}, []pagesOf{plain("ada@example.com")}, nil, 0)},
	} {
		s.put(name, c.file)
		end := s.lookUps(500)
		connection := s.connect()
		r := s.run(s.submit(connection, name, name, "file", mailOnly), `{}`)
		look := s.call("POST", ais+"/validate", fmt.Sprintf(`{"name":"look","originName":"CUSTOM_UPLOAD","sourceSpec":{"path":%q,"type":"file","sourceType":"Cloud Storage","baseConnectionId":%q}}`, name, connection))
		end()
		if !s.running() {
			t.Fatalf("%s: the server ended", name)
		}
		said := fmt.Sprint(r["error"])
		if c.fine != (r["status"] == "SUCCESS") || !c.fine && (!strings.Contains(said, name) || !strings.Contains(said, "Parquet")) || strings.Contains(said+look.body, "nil pointer") {
			t.Errorf("%s: run %v %s; look %d %.300s", name, r["status"], said, look.status, look.body)
		}
	}
}

// TestArchiveClaims reads archives that claim much more than they contain.
func TestArchiveClaims(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(500)
	var many bytes.Buffer
	w := zip.NewWriter(&many)
	for i := range 60_000 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%s%d/", strings.Repeat("n", 200), i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	window := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01 | 1<<3, 0, 0, 'a'}                                                  // 2^41 bytes
	content := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x01|1<<3, 0, 0, 'a') // 2^63 bytes
	for name, file := range map[string][]byte{
		"many.zip":    many.Bytes(),
		"window.zst":  window,
		"content.zst": content,
		"deep.json":   append([]byte(`[{"email":`), bytes.Repeat([]byte("["), 8<<20)...),
		"number.json": append(append([]byte(`[{"email":1`), bytes.Repeat([]byte("0"), 17<<20)...), "}]"...),
	} {
		s.put(name, file)
		end := s.lookUps(500)
		r := s.run(s.submit(s.connect(), name, name, "file", mailOnly), `{}`)
		end()
		if !s.running() {
			t.Fatalf("%s: the server ended", name)
		}
		if said := fmt.Sprint(r["error"]); r["status"] != "FAILED" || !strings.Contains(said, name) {
			t.Errorf("%s: run %v %s", name, r["status"], said)
		}
	}
}
