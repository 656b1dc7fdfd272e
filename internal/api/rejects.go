package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/web"
)

// Rejects reads rejected rows, and accepts corrected ones.
type Rejects interface {
	Rejects(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, from int64, fn func(audience.RejectedRow) error) (int64, error)
	Resubmit(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, name string, escaped bool, content io.Reader) (audience.Run, error)
}

// Pages of rejects.
const (
	defaultRejects = 100
	maxRejects     = 1000
)

// errPageFull ends the reading of a page.
var errPageFull = errors.New("api: the page is full")

// rejects answers a page of a run's rejects as JSON, or all of them as CSV or NDJSON.
func (s *server) rejects(c *call) (answer, error) {
	id, run, err := c.runID()
	if err != nil {
		return answer{}, err
	}
	q := c.query()
	form := q.format(c, "json", "csv", "ndjson")
	escaped := q.spreadsheet(form == "csv")
	limit, start := q.limit(defaultRejects, maxRejects), q.start()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	switch form {
	case "csv":
		return answer{http.StatusOK, &web.Stream{ContentType: "text/csv; charset=utf-8",
			Header: map[string]string{"Content-Disposition": fmt.Sprintf(`attachment; filename="rejects-%s.csv"`, run)},
			Write:  func(w io.Writer) error { return s.rejectsCSV(c, w, id, run, escaped) }}}, nil
	case "ndjson":
		return answer{http.StatusOK, &web.Stream{ContentType: "application/x-ndjson",
			Write: func(w io.Writer) error { return s.rejectsNDJSON(c, w, id, run) }}}, nil
	}
	return answer{http.StatusOK, &web.Stream{ContentType: "application/json",
		Write: func(w io.Writer) error { return s.rejectsPage(c, w, id, run, limit, start) }}}, nil
}

// rejectsPage streams a client.RejectList, because a thousand rejects may have 64 MiB of text.
func (s *server) rejectsPage(c *call, w io.Writer, id audience.ID, run audience.RunID, limit, start int) error {
	out := bufio.NewWriterSize(w, flushBytes)
	enc := json.NewEncoder(out)
	before, count := `{"rejects":[`, 0
	total, err := s.Service.Rejects(c.Context(), c.actor, id, run, int64(start), func(r audience.RejectedRow) error {
		if count == limit {
			return errPageFull
		}
		out.WriteString(before)
		before, count = ",", count+1
		return enc.Encode(rejectBody(r))
	})
	if err != nil && !errors.Is(err, errPageFull) {
		return err
	}
	if count == 0 {
		out.WriteString(before)
	}
	out.WriteString(`],"_page":`)
	if err := enc.Encode(pageOf(limit, start, count, int(total))); err != nil {
		return err
	}
	out.WriteString("}\n")
	return out.Flush()
}

func rejectBody(r audience.RejectedRow) client.RejectedRow {
	b := client.RejectedRow{File: r.File, Version: r.Version, Line: r.Line, Lines: r.Lines, Column: r.Column, Code: r.Code, Reason: r.Reason,
		Raw: strings.ToValidUTF8(string(r.Raw), "\uFFFD")}
	if r.Offset >= 0 {
		b.ByteOffset = new(r.Offset)
	}
	return b
}

// rejectsCSV streams all rejects. The column raw contains the exact bytes of the row in its file, unless the list is
// escaped for a spreadsheet.
func (s *server) rejectsCSV(c *call, w io.Writer, id audience.ID, run audience.RunID, escaped bool) error {
	var record []byte
	out := bufio.NewWriterSize(w, flushBytes)
	form := listForm{csv: true, spreadsheet: escaped}
	write := func(values ...string) error {
		record = record[:0]
		for i, v := range values {
			if i > 0 {
				record = append(record, ',')
			}
			if v != "" {
				record = form.appendText(record, v)
			}
		}
		_, err := out.Write(append(record, '\n'))
		return err
	}
	names := []string{"file", "version", "line", "lines", "byte_offset", "column", "code", "reason", "raw"}
	if escaped {
		names = append(names, audience.EscapedColumn)
	}
	if err := write(names...); err != nil {
		return err
	}
	_, err := s.Service.Rejects(c.Context(), c.actor, id, run, 0, func(r audience.RejectedRow) error {
		offset := ""
		if r.Offset >= 0 {
			offset = strconv.FormatInt(r.Offset, 10)
		}
		values := []string{r.File, r.Version, strconv.FormatInt(r.Line, 10), strconv.FormatInt(r.Lines, 10), offset, r.Column, r.Code, r.Reason, string(r.Raw)}
		if escaped {
			values = append(values, "")
		}
		return write(values...)
	})
	if err != nil {
		return err // the writer's buffer still contains the header
	}
	return out.Flush()
}

// rejectsNDJSON streams all rejects, one per line.
func (s *server) rejectsNDJSON(c *call, w io.Writer, id audience.ID, run audience.RunID) error {
	out := bufio.NewWriterSize(w, flushBytes)
	enc := json.NewEncoder(out)
	_, err := s.Service.Rejects(c.Context(), c.actor, id, run, 0, func(r audience.RejectedRow) error { return enc.Encode(rejectBody(r)) })
	if err != nil {
		return err
	}
	return out.Flush()
}

// resubmit receives a corrected file and starts a run that reads only this file.
func (s *server) resubmit(c *call) (answer, error) {
	id, run, err := c.runID()
	if err != nil {
		return answer{}, err
	}
	q := c.query()
	escaped := q.spreadsheet(true)
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	r, err := s.Service.Resubmit(c.Context(), c.actor, id, run, q.Get("name"), escaped, uploadBody{c.Body})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, startedRun(&r)}, nil
}

// runID reads the ids of an audience and of one of its runs.
func (c *call) runID() (audience.ID, audience.RunID, error) {
	id, err := c.audienceID()
	if err != nil {
		return "", "", err
	}
	run, err := c.id("runId", "run")
	return id, audience.RunID(run), err
}

// format reads the format of the answer from the parameter format, or else from the header Accept; the first of forms
// is the default.
func (q *query) format(c *call, forms ...string) string {
	accepts := map[string]string{"csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson"}
	want := q.Get("format")
	for _, f := range forms {
		if want == f || !q.Has("format") && strings.Contains(c.Header.Get("Accept"), accepts[f]) {
			return f
		}
	}
	if q.Has("format") {
		q.problems.Add("format", "must be %s", strings.Join(forms, " or "))
	}
	return forms[0]
}

// spreadsheet reads the parameter escape, which says whether values of CSV are escaped for a spreadsheet.
func (q *query) spreadsheet(csv bool) bool {
	switch want := q.Get("escape"); {
	case want == "" && !q.Has("escape"), want == audience.None:
		return false
	case want != audience.Spreadsheet:
		q.problems.Add("escape", "must be %s or %s", audience.None, audience.Spreadsheet)
	case !csv:
		q.problems.Add("escape", "%s works only with CSV; add format=csv", audience.Spreadsheet)
	}
	return true
}
