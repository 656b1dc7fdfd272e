package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/members"
)

// rows returns the provenance of rows that all come from one file.
type rows struct {
	run  audience.RunID
	file string
}

const sinceMicros = 1749624273_000000

func (rows) Since(int) int64    { return sinceMicros }
func (rows) Seen(int) int64     { return sinceMicros + 1 }
func (rows) Expires(int) int64  { return sinceMicros + 86400_000000 }
func (rows) Line(row int) int64 { return int64(row) + 2 }
func (r rows) Origin(context.Context, int) (audience.RunID, string, error) {
	return r.run, r.file, nil
}

var sampleFields = []audience.Field{{Name: "a \"text\"", Type: audience.String}, {Name: "number", Type: audience.Number}, {Name: "long", Type: audience.Long},
	{Name: "int", Type: audience.Integer}, {Name: "day", Type: audience.Date}, {Name: "at", Type: audience.DateTime}, {Name: "yes", Type: audience.Boolean},
	{Name: "b", Type: audience.String}}

// sampleColumns are the columns of sampleFields: row 0 is ordinary, row 1 the extremes, row 2 all null.
func sampleColumns(t testing.TB) []arrow.Array {
	t.Helper()
	types := []arrow.DataType{arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int32,
		arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Timestamp_us, arrow.FixedWidthTypes.Boolean, arrow.BinaryTypes.String}
	values := []string{
		`["ada@example.com", 1.5, 42, -7, "2025-05-13", "2025-05-13T20:19:00.000001Z", true, "gold"]`,
		`["\"\\,\n\u0001é<", 1e21, -9223372036854775808, 2147483647, "1969-12-31", "0001-01-01T00:00:00Z", false, ""]`,
		`[null, null, null, null, null, null, null, null]`,
	}
	var columns []arrow.Array
	for i, typ := range types {
		var list []json.RawMessage
		for _, v := range values {
			var row []json.RawMessage
			if err := json.Unmarshal([]byte(v), &row); err != nil {
				t.Fatal(err)
			}
			list = append(list, row[i])
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := array.FromJSON(memory.DefaultAllocator, typ, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		columns = append(columns, c)
	}
	return columns
}

func encoded(t *testing.T, csv bool, from rows) string {
	t.Helper()
	e := newMemberEncoder(sampleFields, listForm{csv: csv})
	e.begin(members.ColumnsOf(sampleColumns(t)))
	for row := range 3 {
		if err := e.row(t.Context(), from, row); err != nil {
			t.Fatal(err)
		}
	}
	return string(e.buf)
}

func TestMemberNDJSON(t *testing.T) {
	t.Parallel()
	const tail = `,"_roster_since":"2025-06-11T06:44:33Z","_roster_seen":"2025-06-11T06:44:33.000001Z","_roster_expiresAt":"2025-06-12T06:44:33Z",` +
		`"_roster_runId":"r","_roster_file":"a,b.csv","_roster_line":`
	want := `{"a \"text\"":"ada@example.com","number":1.5,"long":42,"int":-7,"day":"2025-05-13","at":"2025-05-13T20:19:00.000001Z","yes":true,"b":"gold"` + tail + "2}\n" +
		`{"a \"text\"":"\"\\,\n\u0001é<","number":1e+21,"long":-9223372036854775808,"int":2147483647,"day":"1969-12-31","at":"0001-01-01T00:00:00Z","yes":false,"b":""` + tail + "3}\n" +
		`{"a \"text\"":null,"number":null,"long":null,"int":null,"day":null,"at":null,"yes":null,"b":null` + tail + "4}\n"
	got := encoded(t, false, rows{"r", "a,b.csv"})
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if unknown := encoded(t, false, rows{}); !strings.Contains(unknown, `"_roster_runId":null,"_roster_file":null,"_roster_line":2}`) {
		t.Errorf("without a run: %s", unknown)
	}
}

func TestMemberCSV(t *testing.T) {
	t.Parallel()
	got := encoded(t, true, rows{"r", "a,b.csv"})
	const times = "2025-06-11T06:44:33Z,2025-06-11T06:44:33.000001Z,2025-06-12T06:44:33Z"
	want := `"a ""text""",number,long,int,day,at,yes,b,_roster_since,_roster_seen,_roster_expiresAt,_roster_runId,_roster_file,_roster_line` + "\n" +
		"ada@example.com,1.5,42,-7,2025-05-13,2025-05-13T20:19:00.000001Z,true,gold," + times + `,r,"a,b.csv",2` + "\n" +
		"\"\"\"\\,\n\u0001é<\",1e+21,-9223372036854775808,2147483647,1969-12-31,0001-01-01T00:00:00Z,false,\"\"," + times + `,r,"a,b.csv",3` + "\n" +
		",,,,,,,," + times + `,r,"a,b.csv",4` + "\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	records, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || len(records) != 4 || records[2][0] != "\"\\,\n\u0001é<" {
		t.Errorf("%q %v", records, err)
	}
}

// TestMemberTexts compares texts with the values that encoding/json and encoding/csv decode.
func TestMemberTexts(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a", `"`, `\`, "\x00", "\x1f", "\x7f", "é", "\u2028", "\xff", "a\xc3", "<&>", " a ", ",", "\r", "\n", `""`, "'"} {
		var back string
		if err := json.Unmarshal(appendJSON(nil, s), &back); err != nil || back != strings.ToValidUTF8(s, "\uFFFD") {
			t.Errorf("%q comes back as %q: %v", s, back, err)
		}
		record, err := csv.NewReader(bytes.NewReader(append(appendCSV(nil, s), ",x\n"...))).Read()
		if want := strings.ReplaceAll(s, "\r\n", "\n"); err != nil || record[0] != want {
			t.Errorf("%q comes back as %q: %v", s, record, err)
		}
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1, -1.5, 1e-7, 1e-6, 1e20, 1e21, math.MaxFloat64, math.SmallestNonzeroFloat64, 9007199254740993} {
		var back float64
		if err := json.Unmarshal(appendNumber(nil, f), &back); err != nil || back != f {
			t.Errorf("%v comes back as %v: %v", f, back, err)
		}
	}
}

const membersPath = "/core/ais/external-audience/" + audienceID + "/members"

func TestMembersQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do("GET", membersPath, "")
	if rec.Code != 200 || rec.Header().Get("Content-Type") != typeNDJSON || rec.Body.Len() != 0 || rec.Header().Values("x-next-cursor") != nil {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	w.service.next = &members.Position{Snapshot: 7, Row: 3}
	first := w.do("GET", membersPath+"?fields=ppid,list_id&asOf="+runID+"&limit=2", "")
	rec = w.do("GET", membersPath+"?limit=2&cursor="+first.Header().Get("x-next-cursor"), "", "Accept", "text/csv")
	want := control.MemberQuery{Fields: []string{"ppid", "list_id"}, AsOf: runID, Limit: 2, From: w.service.next}
	if got := last[control.MemberQuery](t, w.service); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if rec.Header().Get("Content-Type") != typeCSV || rec.Header().Get("x-next-cursor") == "" || rec.Body.String() != "ppid,list_id,"+strings.Join(memberColumns, ",")+"\n" {
		t.Errorf("%v %s", rec.Header(), rec.Body)
	}
	for query, path := range map[string]string{"limit=0": "limit", "limit=1000001": "limit", "limit=x": "limit", "format=xml": "format", "cursor=here": "cursor"} {
		rec := w.do("GET", membersPath+"?"+query, "")
		if body := ok[client.ErrorBody](t, rec, 400); body.Errors["400"][0].Path != path {
			t.Errorf("%s: %s", query, rec.Body)
		}
	}
	w.service.err = audience.Errorf(audience.Impossible, "gone")
	if rec := w.do("GET", membersPath, ""); rec.Code != 422 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do("GET", membersPath+"/email/Ada%40example.com%2Fx", "")
	const times = `"since":1749624273,"lastQualificationTime":1749624273,"validUntil":1753080273`
	want := `{"audienceId":"` + audienceID + `","identity":{"id":"ada@example.com","namespace":"Email"},"status":"realized",` + times +
		`,"run":{"runId":"` + runID + `","createdAt":1749624273},"file":{"path":"example.csv","version":"v1"},"line":2}` + "\n"
	if rec.Code != 200 || rec.Body.String() != want {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if got := last[control.IdentityRef](t, w.service); got != (control.IdentityRef{ID: "Ada@example.com/x", Namespace: "email"}) {
		t.Errorf("%+v", got)
	}
	w.service.member.Status, w.service.member.Origin = control.Exited, nil
	rec = w.do("GET", membersPath+"/email/ada", "")
	if rec.Code != 200 || !strings.HasSuffix(rec.Body.String(), `"status":"exited",`+times+"}\n") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec := w.do("GET", membersPath+"/email/"+strings.Repeat("a", maxIdentity+1), ""); rec.Code != 400 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// BenchmarkMembers encodes batches of 8 columns. The rate that counts is rows/s.
func BenchmarkMembers(b *testing.B) {
	const size = 8192
	base := sampleColumns(b)
	columns := make([]arrow.Array, len(base))
	for i, c := range base {
		list := make([]arrow.Array, size)
		for n := range list {
			list[n] = array.NewSlice(c, 0, 1)
		}
		var err error
		if columns[i], err = array.Concatenate(list, memory.DefaultAllocator); err != nil {
			b.Fatal(err)
		}
	}
	for name, csv := range map[string]bool{"ndjson": false, "csv": true} {
		b.Run(name, func(b *testing.B) {
			e := newMemberEncoder(sampleFields, listForm{csv: csv})
			began, n := time.Now(), 0
			var bytes int64
			for b.Loop() {
				e.begin(members.ColumnsOf(columns))
				for row := range size {
					if err := e.row(b.Context(), rows{runID, "folder/example.csv"}, row); err != nil {
						b.Fatal(err)
					}
				}
				n, bytes, e.buf = n+size, int64(len(e.buf)), e.buf[:0]
			}
			b.SetBytes(bytes)
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "rows/s")
		})
	}
}
