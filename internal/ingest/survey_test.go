package ingest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/ingest"
	"roster/internal/source"
	"roster/internal/survey"
)

// countingStore counts the bytes that are read from its objects.
type countingStore struct {
	source.Store
	read atomic.Int64
}

func (s *countingStore) Open(ctx context.Context, o source.Object, offset, length int64) (io.ReadCloser, error) {
	r, err := s.Store.Open(ctx, o, offset, length)
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r, countingWriter{&s.read}), r}, err
}

type countingWriter struct{ n *atomic.Int64 }

func (w countingWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p)))
	return len(p), nil
}

// folderWith returns a store with a folder that contains one file.
func folderWith(t *testing.T, name, text string) *local.Store {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	local, err := local.OpenConfined(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return local
}

// TestSurveyIsBounded reads only the beginning of large files, even if they have few valid rows.
func TestSurveyIsBounded(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	for name, text := range map[string]string{
		"rows.csv":     "mail,points\n" + strings.Repeat("ada@example.com,1\n", size/18),
		"broken.csv":   "mail,points\n" + strings.Repeat("ada@example.com\n", size/16),
		"broken.jsonl": `{"mail":"ada@example.com"}` + "\n" + strings.Repeat("{]\n", size/3),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := folderWith(t, name, text)
			store := &countingStore{Store: local}
			p := &ingest.Pipeline{Clock: time.Now}
			var surveys []survey.Result
			for range 2 {
				got, err := p.Survey(t.Context(), survey.Request{Source: store, Spec: audience.SourceSpec{Path: name, Type: audience.PathFile}, Rows: 1000, Preview: true})
				if err != nil {
					t.Fatal(err)
				}
				surveys = append(surveys, got)
			}
			if got := surveys[0]; got.Rows != 1000 || len(got.Problems) > 0 || got.Fields[0].Name != "mail" {
				t.Errorf("%+v", got)
			}
			if !reflect.DeepEqual(surveys[0], surveys[1]) {
				t.Errorf("%+v\nand then\n%+v", surveys[0], surveys[1])
			}
			if n := store.read.Load(); n > size/2 {
				t.Errorf("two surveys read %d bytes of a file of %d", n, size)
			}
		})
	}
}

// TestSurveyPreview shows values of rows from several batches, which reuse the same memory.
func TestSurveyPreview(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 40<<10)
	for name, text := range map[string]string{
		"cut.jsonl":  `{"mail":"ada@example.com"}` + "\n" + `{"mail":"bob@example.com"}` + "\n" + `{"mail":"cyd@example.com"}`,
		"long.csv":   "mail,other\nada@example.com," + long + "\nbob@example.com," + long + "\ncyd@example.com," + long + "\n",
		"long.jsonl": `{"mail":"ada@example.com","other":"` + long + "\"}\n" + `{"mail":"bob@example.com","other":"` + long + "\"}\n" + `{"mail":"cyd@example.com"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := folderWith(t, name, text)
			p := &ingest.Pipeline{Clock: time.Now}
			got, err := p.Survey(t.Context(), survey.Request{Source: local, Spec: audience.SourceSpec{Path: name, Type: audience.PathFile}, Rows: 100, Preview: true})
			if err != nil {
				t.Fatal(err)
			}
			var mails []string
			for _, row := range got.Preview {
				mails = append(mails, *row[0])
			}
			if want := []string{"ada@example.com", "bob@example.com", "cyd@example.com"}; !reflect.DeepEqual(mails, want) {
				t.Errorf("the preview shows %q", mails)
			}
		})
	}
}

// TestSurveyLikeRun finds no problem in files that a run can read.
func TestSurveyLikeRun(t *testing.T) {
	t.Parallel()
	fields := []audience.Field{{Name: "mail", Type: audience.String, IdentityNs: "Email"}, {Name: "points", Type: audience.Integer}}
	for name, c := range map[string]struct {
		text  string
		extra []string
	}{
		"carets.csv":     {"mail^points\nada@example.com^1\n", nil},
		"spaces.csv":     {"mail points\nada@example.com 1\n", nil},
		"repeated.csv":   {"mail,x,X,points\nada@example.com,1,2,3\n", []string{"x"}},
		"latin.csv":      {"mail,caf\xe9,points\nada@example.com,1,2\n", nil},
		"empty.json":     {"[]", nil},
		"wanted-two.csv": {"mail,points,points\nada@example.com,1,2\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := folderWith(t, name, c.text)
			p := &ingest.Pipeline{Clock: time.Now}
			got, err := p.Survey(t.Context(), survey.Request{Source: local, Spec: audience.SourceSpec{Path: name, Type: audience.PathFile}, Rows: 100, Fields: fields})
			if err != nil {
				t.Fatal(err)
			}
			if name == "wanted-two.csv" {
				if len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Message, `"points" twice`) {
					t.Errorf("%+v", got.Problems)
				}
				return
			}
			f := got.Files[0]
			if len(got.Problems) > 0 || len(f.Missing) > 0 || !reflect.DeepEqual(f.Extra, c.extra) {
				t.Errorf("%+v, missing %q, extra %q", got.Problems, f.Missing, f.Extra)
			}
		})
	}
}

// TestSurveyFails returns the error of the source or of the caller's context.
func TestSurveyFails(t *testing.T) {
	t.Parallel()
	local := folderWith(t, "in.csv", "mail\nada@example.com\n")
	r := survey.Request{Source: failing{local}, Spec: audience.SourceSpec{Path: "in.csv", Type: audience.PathFile}, Rows: 10}
	p := &ingest.Pipeline{Clock: time.Now}
	_, err := p.Survey(t.Context(), r)
	if audience.CodeOf(err) != audience.BadGateway || !strings.Contains(err.Error(), "in.csv") {
		t.Errorf("a source that is down: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Survey(gone, r); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who is gone: %v", err)
	}
}

// failing is a store whose objects cannot be opened.
type failing struct{ source.Store }

func (failing) Open(context.Context, source.Object, int64, int64) (io.ReadCloser, error) {
	return nil, errors.New("connection reset")
}
