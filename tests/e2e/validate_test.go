package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"roster/client"
	"roster/internal/app"
)

// validation asks for a validation of files in the landing zone.
func (s *server) validation(path, kind, more string) client.Validation {
	s.t.Helper()
	return decoded[client.Validation](s.call("POST", ais+"/validate", fmt.Sprintf(
		`{"sourceSpec": {"path": %q, "type": %q, "sourceType": "Cloud Storage", "cloudType": "DLZ"}%s}`, path, kind, more)), 200)
}

func TestValidateProposes(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("a/people.csv", "E-Mail;zip;joined;points\nada@x.org;01234;2025-01-31;1\nbob@x.org;99999;2025-02-01;2\n")
	v := s.validation("a/people.csv", "file", "")
	if got, want := fmt.Sprint(v.Fields), "[{E-Mail string Email []  [] false} {zip string  []  [] false} {joined date  []  [] true} {points long  []  [] true}]"; got != want {
		t.Errorf("proposed %s, want %s", got, want)
	}
	if len(v.Files) != 1 || v.Files[0].Format.Delimiter != ";" || v.Files[0].Format.Type != "csv" || v.RowsRead != 2 || v.RowsRejected != 0 || len(v.Problems) != 0 {
		t.Errorf("%+v", v)
	}
	if v.Preview != nil {
		t.Error("values are answered that nobody asked for")
	}
	if list := s.call("GET", ais, ""); !strings.Contains(string(list.body), `"totalCount":0`) {
		t.Errorf("a validation made an audience: %s", list.body)
	}
}

func TestValidateFolder(t *testing.T) {
	t.Parallel()
	s := start(t)
	var wide bytes.Buffer
	wide.WriteString("\xff\xfe")
	for _, u := range utf16.Encode([]rune("mail\tpoints\nzoë@x.org\t7\n")) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("mail,points,city\ncy@x.org,8,Oslo\n"))
	_ = z.Close()
	s.land("in/1.csv", wide.String())
	s.land("in/2.jsonl", `{"mail":"dan@x.org","points":1.5,"tags":["a"]}`+"\n")
	s.land("in/3.csv", packed.String())
	s.land("in/4.csv", "mail,points\n\"never closed")
	s.land("in/_SUCCESS", "x")
	v := s.validation("in", "folder", `, "preview": true`)
	var files []string
	for _, f := range v.Files {
		as := ""
		if f.Format != nil {
			as = strings.TrimSpace(f.Format.Type + " " + f.Format.Encoding + " " + f.Format.Compression)
		}
		files = append(files, fmt.Sprint(f.Path, ": ", f.Status, " ", as, f.NestedColumns))
	}
	want := "in/1.csv: read csv utf-16le none[] in/2.jsonl: read json utf-8 none[tags] in/3.csv: read csv utf-8 gzip[] in/4.csv: read csv utf-8 none[] in/_SUCCESS: skipped []"
	if got := strings.Join(files, " "); got != want {
		t.Errorf("files %s\nwant  %s", got, want)
	}
	if got, want := fmt.Sprint(v.Fields), "[{mail string Email []  [] false} {points string  []  [] false} {city string  []  [] false}]"; got != want {
		t.Errorf("proposed %s, want %s", got, want)
	}
	if v.RowsRead != 4 || v.RowsRejected != 1 || v.RejectCounts[0].Code != "QUOTE" || v.Rejects[0].File != "in/4.csv" {
		t.Errorf("%+v", v)
	}
	if len(v.Preview) != 3 || *v.Preview[0][0] != "zoë@x.org" || v.Preview[0][2] != nil || *v.Preview[2][2] != "Oslo" {
		t.Errorf("preview %v", v.Preview)
	}
}

func TestValidateFields(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("p.csv", "mail,points,note\nada@x.org,1,secret\nbob@x.org,many,x\n,3,y\ndan@x.org,much,z\neve@x.org,5,\n")
	s.land("n.jsonl", `{"mail":"dan@x.org","address":{"city":"Oslo"}}`+"\n")
	mail := `{"name":"mail","type":"string","identityNs":"email"}`

	v := s.validation("p.csv", "file", `, "rows": 4, "fields": [`+mail+`, {"name":"points","type":"integer"}, {"name":"city","type":"string"}]`)
	if got, want := fmt.Sprint(v.RowsRead, v.RowsRejected, v.RejectCounts), "4 3 [{TYPE points 2} {IDENTITY mail 1}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := fmt.Sprint(v.Files[0].MissingColumns, v.Files[0].ExtraColumns, v.Fields[1].Type, len(v.Problems)), "[city] [note]string1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if v.Rejects[0].Line != 3 || v.Rejects[0].Column != "points" || strings.Contains(fmt.Sprint(v.Rejects), "many") {
		t.Errorf("rejects %+v", v.Rejects)
	}

	for _, c := range []struct{ path, fields, at, mention string }{
		{"p.csv", mail + `, {"name":"city","type":"string"}`, "fields[1].name", `"city"`},
		{"n.jsonl", mail + `, {"name":"address","type":"string"}`, "fields[1].name", `"address" of n.jsonl`},
		{"p.csv", `{"name":"email","type":"string","identityNs":"email"}`, "fields[0].name", `"email"`},
		{"p.csv", `{"name":"email","type":"string","identityNs":"email"}`, "sourceSpec.path", "p.csv: the first line names none"},
		{"p.csv", `{"name":"mail","type":"text","identityNs":"email"}`, "fields[0].type", "text"},
		{"p.csv", `{"name":"mail","type":"string","identityNs":"emial"}`, "fields[0].identityNs", "Email"},
		{"p.csv", `{"name":"mail","type":"string"}`, "fields", "identityNs"},
	} {
		v := s.validation(c.path, "file", `, "fields": [`+c.fields+`]`)
		if !slices.ContainsFunc(v.Problems, func(p client.Problem) bool { return p.Path == c.at && strings.Contains(p.Message, c.mention) }) {
			t.Errorf("%s: problems %+v, want %s and %q", c.fields, v.Problems, c.at, c.mention)
		}
		if c.path == "n.jsonl" && (fmt.Sprint(v.RejectCounts) != "[{TYPE address 1}]" || fmt.Sprint(v.Files[0].NestedColumns) != "[address]") {
			t.Errorf("%+v", v)
		}
		if text := fmt.Sprint(v); strings.Contains(text, "ada@x.org") || strings.Contains(text, "secret") {
			t.Errorf("values are answered that nobody asked for: %s", text)
		}
	}
}

// TestValidatePreview shows rows as they are in the file, also rejected ones.
func TestValidatePreview(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("p.csv", "mail,points\nada@x.org,007\nbob@x.org,many\nshort\n,3\n"+strings.Repeat("eve@x.org,5\n", 30))
	v := s.validation("p.csv", "file", `, "preview": true, "fields": [{"name":"mail","type":"string","identityNs":"email"},{"name":"points","type":"integer"}]`)
	var rows []string
	for _, row := range v.Preview {
		text := ""
		for _, value := range row {
			if value == nil {
				text += " -"
			} else {
				text += " " + *value
			}
		}
		rows = append(rows, text)
	}
	if len(rows) != 20 || !slices.Equal(rows[:3], []string{" ada@x.org 007", " bob@x.org many", " - 3"}) || v.RowsRead != 34 || v.RowsRejected != 3 {
		t.Errorf("%q, %d rows of which %d were rejected", rows, v.RowsRead, v.RowsRejected)
	}
}

// TestValidateWithoutHeader names columns by their positions.
func TestValidateWithoutHeader(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("p.csv", "ada@x.org;1\nbob@x.org;x\n")
	const format = `{"sourceSpec": {"path": "p.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ", "format": {"header": false}}%s}`
	v := decoded[client.Validation](s.call("POST", ais+"/validate", fmt.Sprintf(format, "")), 200)
	if got, want := fmt.Sprint(v.Fields, v.RowsRead), "[{column1 string  []  [] false} {column2 string  []  [] false}] 2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	v = decoded[client.Validation](s.call("POST", ais+"/validate", fmt.Sprintf(format, `, "fields": [{"name":"mail","type":"string","identityNs":"email"},{"name":"points","type":"long"}]`)), 200)
	if fmt.Sprint(v.RejectCounts, v.Problems) != "[{TYPE points 1}] []" {
		t.Errorf("%+v", v)
	}
}

// TestValidateBounded checks that only the beginning of files is read, with the same result each time.
func TestValidateBounded(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in/1.csv", "mail,points\n"+strings.Repeat("ada@x.org,1\nbroken\n", 200_000)+"eve@x.org,x\n")
	s.land("in/2.csv", "mail,city\nbob@x.org,Oslo\n")
	first := s.call("POST", ais+"/validate", `{"sourceSpec": {"path": "in", "type": "folder", "sourceType": "Cloud Storage", "cloudType": "DLZ"}, "rows": 100, "preview": true}`)
	v := decoded[client.Validation](first, 200)
	if v.RowsRead != 100 || v.RowsRejected != 50 || v.RejectCounts[0] != (client.RejectCount{Code: "COLUMN_COUNT", Rows: 50}) || len(v.Rejects) != 20 || len(v.Preview) != 20 || len(v.Fields) != 3 || v.Fields[1].Type != "long" {
		t.Errorf("%s", first.body)
	}
	again := s.call("POST", ais+"/validate", `{"sourceSpec": {"path": "in", "type": "folder", "sourceType": "Cloud Storage", "cloudType": "DLZ"}, "rows": 100, "preview": true}`)
	if !bytes.Equal(again.body, first.body) {
		t.Errorf("%s\nand then\n%s", first.body, again.body)
	}
}

// TestValidateUnsettled checks that a file that may still be being written is not read.
func TestValidateUnsettled(t *testing.T) {
	t.Parallel()
	s := start(t, func(cfg *app.Config) { *cfg.SettleAge = time.Hour })
	s.put("in/new.csv", "mail\nada@x.org\n")
	s.put("in/old.csv", "mail\nbob@x.org\n")
	old := filepath.Join(s.root, "in/old.csv")
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	id := s.connect()
	body := func(path, kind string) string {
		return fmt.Sprintf(`{"sourceSpec": {"path": %q, "type": %q, "sourceType": "Cloud Storage", "cloudType": "S3", "baseConnectionId": %q}}`, path, kind, id)
	}
	v := decoded[client.Validation](s.call("POST", ais+"/validate", body("in", "folder")), 200)
	if len(v.Files) != 2 || v.Files[0].Status != "unsettled" || v.Files[0].Format != nil || v.Files[1].Status != "read" || v.RowsRead != 1 {
		t.Errorf("%+v", v)
	}
	s.call("POST", ais+"/validate", body("in/new.csv", "file")).refused(422, "100960-422", "new.csv", "still")
}

func TestValidateRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("empty/_SUCCESS", "x")
	s.land("pdf/1.csv", "%PDF-1.7 ")
	s.land("pdf/2.csv", "PK\x03\x04cut off")
	spec := func(path string) string {
		return fmt.Sprintf(`{"sourceSpec": {"path": %q, "type": "folder", "sourceType": "Cloud Storage", "cloudType": "DLZ"}}`, path)
	}
	for body, want := range map[string]struct {
		status  int
		mention string
	}{
		`{}`:            {400, "sourceSpec"},
		spec("../up"):   {400, "sourceSpec.path"},
		spec("nil"):     {422, "nil"},
		spec("empty"):   {422, "no file to read"},
		spec("pdf"):     {422, "pdf/1.csv: the file is a PDF document"},
		`{"sourceSpec"`: {400, "JSON"},
		`{"sourceSpec": {"path": "a", "type": "file", "sourceType": "Cloud Storage", "cloudType": "S3", "baseConnectionId": "0b6f3a57-1111-4222-8333-444455556666"}}`: {400, "baseConnectionId"},
		strings.Replace(spec("empty"), `}}`, `}, "rows": 10001}`, 1): {400, "rows"},
		strings.Replace(spec("empty"), `}}`, `}, "limit": 1}`, 1):    {400, "limit"},
	} {
		if a := s.call("POST", ais+"/validate", body); a.status != want.status || !strings.Contains(string(a.body), want.mention) {
			t.Errorf("%s: %d %s, want %d and %q", body, a.status, a.body, want.status, want.mention)
		}
	}
}

// decoded requires a status and decodes the body to the type of the client.
func decoded[T any](a answer, status int) (v T) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil || a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %v: %s", a.call, a.status, status, err, a.body)
	}
	return v
}
