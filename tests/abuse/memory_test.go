package abuse

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/dustin/go-humanize"
)

// mostBeyond is the memory that a server may use in addition to its budget and to its use when idle.
const mostBeyond = 128 << 20

// bounded calls do, which must not use more memory than the server's budget and mostBeyond. Look-ups continue
// meanwhile.
func (s *server) bounded(what string, do func()) {
	s.t.Helper()
	budget, err := humanize.ParseBytes(memory)
	if err != nil {
		s.t.Fatal(err)
	}
	s.forgetPeak()
	idle := s.resident()
	end := s.lookUps(100)
	do()
	end()
	grown := s.peak() - idle
	s.t.Logf("%s: %d MiB more than idle", what, grown>>20)
	if grown > int64(budget)+mostBeyond {
		s.t.Errorf("%s takes %d MiB more than an idle server, whose budget is %s", what, grown>>20, memory)
	}
}

// ingest creates and runs an audience of a file with bounded memory. It returns the audience and the run.
func (s *server) ingest(name string, content []byte, fields string) (audience string, run map[string]any) {
	s.t.Helper()
	s.put(name, content)
	audience = s.submit(s.connect(), name, name, "file", fields)
	s.bounded(name, func() { run = s.run(audience, `{}`) })
	if run["status"] != "SUCCESS" {
		s.t.Errorf("%s: %v", name, run)
	}
	return audience, run
}

const mailAndText = `[{"name":"email","type":"string","identityNs":"email"},{"name":"v","type":"string"}]`

// longRows is a file of rows with texts of a number of bytes.
func longRows(rows, size int) []byte {
	var b bytes.Buffer
	text := strings.Repeat("abcdefghijklmnopqrstuvwxyz-0123456789 ", size/38+2)
	b.WriteString("email,v\n")
	for i := range rows {
		fmt.Fprintf(&b, "long%d@example.com,%s\n", i, text[i%38:][:size])
	}
	return b.Bytes()
}

// TestOneIdentity imports very many rows of one identity from a small gzip file.
func TestOneIdentity(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(100)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("email,v\n"))
	rows := bytes.Repeat([]byte("one@example.com,1\n"), 100_000)
	for range 20 {
		z.Write(rows)
	}
	z.Close()
	_, run := s.ingest("one.csv.gz", b.Bytes(), mailAndText)
	if text := fmt.Sprint(run); !strings.Contains(text, "duplicates:1.999999e+06") {
		t.Errorf("the run does not say that all rows but one are duplicates: %.600s", text)
	}
}

// TestWideRows imports rows of 10 MB and of 100 kB, each with its long text in another column, and a thousand columns.
// Then it reads members.
func TestWideRows(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(100)
	s.ingest("megabytes.csv", longRows(20, 10_000_000), mailAndText)
	long, _ := s.ingest("long.csv", longRows(2000, 100_000), mailAndText)
	s.bounded("three exports", func() {
		s.each(3, ais+"/"+long+"/members", func(a answer) error {
			if n := strings.Count(a.body, "\n"); n != 2000 {
				return fmt.Errorf("%d members, want 2000", n)
			}
			return nil
		})
	})
	var fields, header, row strings.Builder
	for i := range 999 {
		fmt.Fprintf(&fields, `,{"name":"f%d","type":"string"}`, i)
		fmt.Fprintf(&header, ",f%d", i)
		fmt.Fprintf(&row, ",%d", i*7919)
	}
	b := bytes.NewBufferString("email" + header.String() + "\n")
	for i := range 5000 {
		fmt.Fprintf(b, "m%d@example.com%s\n", i, row.String())
	}
	s.ingest("thousand.csv", b.Bytes(), `[{"name":"email","type":"string","identityNs":"email"}`+fields.String()+`]`)
}

// each sends a request several times in parallel and checks each response.
func (s *server) each(n int, path string, check func(answer) error) {
	s.t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			a, err := s.try(http.DefaultClient, "GET", path, http.NoBody)
			if err == nil && a.status != http.StatusOK {
				err = fmt.Errorf("status %d: %.500s", a.status, a.body)
			}
			if err == nil {
				err = check(a)
			}
			if err != nil {
				s.t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestLongRejects imports thousands of long rejects and reads eight of their pages in parallel.
func TestLongRejects(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(100)
	var b bytes.Buffer
	text := strings.Repeat("\x01x", 32<<10)
	b.WriteString("email,v\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "m%d@example.com,1\n", i)
		if i%2 == 0 {
			fmt.Fprintf(&b, "r%d@example.com,%s,3\n", i, text)
		}
	}
	s.put("rejects.csv", b.Bytes())
	body := fmt.Sprintf(`{"name":"rejects","originName":"CUSTOM_UPLOAD","fields":%s,"keepRejectedRows":true,"guards":{"maxRejectedPercent":90},
		"sourceSpec":{"path":"rejects.csv","type":"file","sourceType":"Cloud Storage","baseConnectionId":%q}}`, mailAndText, s.connect())
	task := s.poll(ais + "/task/" + s.call("POST", ais+"/submit", body).json(t, 200)["taskId"].(string))
	id, run := task["audienceId"].(string), map[string]any{}
	s.bounded("rejects.csv", func() { run = s.run(id, `{}`) })
	path := ais + "/" + id + "/runs/" + run["runId"].(string) + "/rejects"
	s.bounded("eight pages", func() {
		s.each(8, path+"?limit=1000", func(a answer) error {
			if n := strings.Count(a.body, `"code":"COLUMN_COUNT"`); n != 1000 || !strings.Contains(a.body, `"count":1000`) {
				return fmt.Errorf("%d rejects, want 1000", n)
			}
			return nil
		})
	})
}

// TestTwoRuns imports with two runs that share the budget.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(100)
	s.put("two.csv", longRows(20_000, 5_000))
	connection := s.connect()
	ids := []string{s.submit(connection, "two a", "two.csv", "file", mailAndText), s.submit(connection, "two b", "two.csv", "file", mailAndText)}
	s.bounded("two runs", func() {
		var started []string
		for _, id := range ids {
			started = append(started, ais+"/"+id+"/run/"+s.call("POST", ais+"/"+id+"/run", `{}`).json(t, 200)["runId"].(string))
		}
		for _, path := range started {
			if r := s.poll(path); r["status"] != "SUCCESS" {
				t.Errorf("run: %v", r)
			}
		}
	})
}
