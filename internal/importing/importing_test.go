package importing

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
)

// TestNewAudience creates an audience of a file and runs it, by an upload and where the file lies.
func TestNewAudience(t *testing.T) {
	t.Parallel()
	for _, inPlace := range []bool{true, false} {
		s, p := newServer(), &someone{}
		im := New(t.Context(), byMail(), file(people(2, "silver,q@example.com,7")), p)
		if err := im.Into(t.Context(), s, inPlace); err != nil {
			t.Fatal(err)
		}
		if len(s.requests) != 1 || *s.requests[0].DifferentialIngestion || !im.Result.Created || im.Result.Run == nil || im.RunID != "r1" || len(p.asked) > 0 {
			t.Errorf("in place %t: %+v, %+v, asked %q", inPlace, s.requests, im.Result, p.asked)
		}
		if im.Result.Fields[0].IdentityNs != "Email" {
			t.Errorf("the namespace is %s, not as the server spells it", im.Result.Fields[0].IdentityNs)
		}
		where := s.audiences[0].SourceSpec.Where()
		if inPlace != (len(s.uploads) == 0) || inPlace != (where.BaseConnectionID != "") || inPlace && (where.Path != "list.csv" || s.connections[0].Auth.Params.Text("root") != "/folder") {
			t.Errorf("in place %t: uploads %q, source %+v", inPlace, s.uploads, where)
		}
		if !inPlace && (where.Path != s.uploads[0] || s.content != people(2, "silver,q@example.com,7") || p.steps[0] != Upload) {
			t.Errorf("uploaded %q to %q, source %+v, steps %q", s.content, s.uploads, where, p.steps)
		}
	}
}

// TestExistingAudience brings files into an audience that has members.
func TestExistingAudience(t *testing.T) {
	t.Parallel()
	days := 5
	for _, c := range []struct {
		name    string
		inPlace bool
		text    string
		change  func(r *Request)
		before  func(s *server, a *client.Audience)
		check   func(s *server, im *Import, p *someone) bool
		err     string
	}{
		{"it asks what the file is", false, people(3, "gold,z@example.com,1"), nil, nil, func(s *server, _ *Import, p *someone) bool {
			return slices.Equal(p.asked, []string{"full: 3 members"}) && *s.requests[0].DifferentialIngestion && len(s.uploads) == 1
		}, ""},
		{"full", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.Full = true }, nil, func(s *server, _ *Import, p *someone) bool {
			return len(p.asked) == 0 && !*s.requests[0].DifferentialIngestion
		}, ""},
		{"identities are the audience's", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.Identities, r.Changes = nil, true }, nil,
			func(_ *server, im *Import, _ *someone) bool { return im.Result.Fields[0].IdentityNs == "Email" }, ""},
		{"a name with white space", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.Changes = true }, func(_ *server, a *client.Audience) {
			a.Fields = slices.Clone(a.Fields)
			a.Fields[primary(a.Fields)].Name = "Mail "
		}, func(s *server, im *Import, _ *someone) bool {
			return len(im.Result.MissingColumns) == 0 && len(s.requests) == 1
		}, ""},
		{"a column less", false, "mail,points\nz@example.com,1\n", func(r *Request) { r.Changes = true }, nil, func(s *server, im *Import, _ *someone) bool {
			return slices.Equal(im.Result.MissingColumns, []string{"tier"}) && *s.requests[0].AllowMissingColumns
		}, ""},
		{"a column that is left out", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.Columns = []string{"mail", "points"} }, nil, nil, "<columns> leaves out tier"},
		{"another identity", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.Identities = []Identity{{"tier", "CRMID"}} }, nil, nil, "tier is no identity there, not an identity of CRMID"},
		{"another type", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.Types = []ColumnType{{"points", audience.String}} }, nil, nil, "points has the type"},
		{"no identity column", false, "e-mail,points\nz@example.com,1\n", func(r *Request) { r.Identities = nil }, nil, nil, "the file has no column mail, which identifies a member (Email)"},
		{"express activation", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.ExpressActivation = true }, nil, nil, "without expressActivation"},
		{"time to live", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.TTLDays, r.Changes = &days, true }, nil, func(s *server, _ *Import, p *someone) bool {
			return s.audiences[0].TTLInDays == 5 && slices.ContainsFunc(p.told, func(text string) bool { return strings.Contains(text, "now expire 5 days") })
		}, ""},
		{"a limit of rejects", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.MaxRejectedPercent, r.Changes = new(7.5), true }, nil, func(s *server, _ *Import, _ *someone) bool {
			return *s.audiences[0].Guards.MaxRejectedPercent == 7.5
		}, ""},
		{"the same file again", true, people(2, "silver,q@example.com,7"), nil, nil, func(s *server, im *Import, p *someone) bool {
			return im.Result.AlreadyImported && len(s.requests) == 0 && len(p.asked) == 0
		}, ""},
		{"the same file again, asked for", true, people(2, "silver,q@example.com,7"), func(r *Request) { r.Full = true }, nil, func(s *server, im *Import, _ *someone) bool {
			return !im.Result.AlreadyImported && len(s.requests) == 1
		}, ""},
		{"a run in progress", false, people(3, "gold,z@example.com,1"), nil, func(s *server, a *client.Audience) { s.runs[a.AudienceID][0].Status = client.Processing },
			func(s *server, im *Import, _ *someone) bool {
				return im.Result.Resumed && len(s.requests) == 0 && im.RunID == "r1"
			}, ""},
		{"a folder", false, people(3, "gold,z@example.com,1"), func(r *Request) { r.Changes = true }, func(_ *server, a *client.Audience) {
			a.SourceSpec = client.SourceSpec{SourceParams: client.SourceParams{Path: "inbox", Type: "folder"}}
		}, nil, "reads the folder inbox"},
		{"a dry run changes no source", true, people(3, "gold,z@example.com,1"), func(r *Request) { r.DryRun, r.Changes = true, true },
			func(_ *server, a *client.Audience) {
				where := a.SourceSpec.Where()
				where.Path = "yesterday.csv"
				a.SourceSpec = client.SourceSpec{SourceParams: where}
			},
			func(s *server, _ *Import, _ *someone) bool {
				return len(s.sources) == 2 && s.sources[0].Path == "list.csv" && s.sources[1].Path == "yesterday.csv" && *s.requests[0].DryRun
			}, ""},
		{"never had a member", false, "mail,age\nz@example.com,1\n", func(r *Request) { r.Changes = true }, func(s *server, a *client.Audience) {
			a.AudienceMeta, s.runs[a.AudienceID] = &client.AudienceMeta{}, nil
		}, func(s *server, im *Import, _ *someone) bool {
			return s.audiences[0].Name == "deleted" && im.Result.Created && slices.Equal(fieldTexts(s.audiences[1].Fields), []string{"mail string Email", "age long"})
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, r, p := newServer(), byMail(), &someone{}
			a := s.existing(t, c.inPlace)
			if c.change != nil {
				c.change(&r)
			}
			if c.before != nil {
				c.before(s, a)
			}
			im := New(t.Context(), r, file(c.text), p)
			err := im.Into(t.Context(), s, c.inPlace)
			switch {
			case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("got the error %v, want %q", err, c.err)
			case c.check != nil && !c.check(s, im, p):
				t.Errorf("%+v\nasked %q, told %q\nrequests %+v, sources %+v, audiences %+v", im.Result, p.asked, p.told, s.requests, s.sources, s.audiences)
			}
		})
	}
}

// TestNamespaces creates namespaces only when that was asked for.
// TestEncryptedAudience takes an encrypted file as it is, and says what to do where that cannot be.
func TestEncryptedAudience(t *testing.T) {
	t.Parallel()
	const message = "-----BEGIN PGP MESSAGE-----\n\nhF4D\n-----END PGP MESSAGE-----\n"
	for name, c := range map[string]struct {
		text    string
		key     bool
		change  func(*Request)
		want    string // of the error, "" for none
		uploads int
	}{
		"an encrypted file":              {message, true, func(*Request) {}, "", 1},
		"with a time to live":            {message, true, func(r *Request) { r.TTLDays = new(9) }, "", 1},
		"a plain file":                   {people(2, "x,q@example.com,1"), true, func(*Request) {}, "reads only files that are encrypted for its key k1", 0},
		"a column that cannot be seen":   {message, true, func(r *Request) { r.Identities = byMail().Identities }, "cannot hold <identities> against its columns", 0},
		"an option that cannot be tried": {message, true, func(r *Request) { r.Given = []string{"delimiter"} }, "<delimiter>", 0},
		"no key":                         {message, false, func(*Request) {}, "PATCH /data/core/ais/external-audience/a0 with sourceSpec.encryption", 0},
	} {
		s, p := newServer(), &someone{full: true}
		a := s.existing(t, false)
		format := &client.Format{Delimiter: ";"}
		a.SourceSpec.SourceParams.Format, a.SourceSpec.SourceParams.Path = format, "in/people.csv.gpg"
		if c.key {
			a.SourceSpec.SourceParams.Encryption = &client.Encryption{PublicKeyID: "k1"}
		}
		r := Request{Name: "people"}
		c.change(&r)
		im := New(t.Context(), r, file(c.text), p)
		err := im.Into(t.Context(), s, false)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if len(s.uploads) != c.uploads || len(s.requests) != c.uploads {
			t.Errorf("%s: uploads %q, runs %+v", name, s.uploads, s.requests)
		}
		if c.uploads == 0 {
			continue
		}
		where := s.at(a.AudienceID).SourceSpec.Where()
		if s.uploads[0] != "in/people.csv.gpg" || s.content != message || where.Format != format || len(s.sources) != 0 || im.Result.Run == nil || !slices.Contains(p.told,
			"list.csv is encrypted: import does not look at its columns, and the audience \"people\" reads it by its own fields and format.") {
			t.Errorf("%s: %q, %+v, told %q", name, s.uploads, where, p.told)
		}
		if ttl := s.at(a.AudienceID).TTLInDays; r.TTLDays != nil && ttl != 9 {
			t.Errorf("%s: members live %d days", name, ttl)
		}
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		create, dry bool
		known       int
		err         string
	}{{false, false, 2, "<createNamespace> creates it, and these exist: Email, CRMID"}, {true, false, 3, ""}, {true, true, 2, ""}} {
		s, r := newServer(), byMail()
		r.Identities[0].Namespace, r.CreateNamespace, r.DryRun = "Loyalty", c.create, c.dry
		err := New(t.Context(), r, file(people(2, "silver,q@example.com,7")), &someone{}).Into(t.Context(), s, false)
		if len(s.namespaces) != c.known || c.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, %d namespaces", c, err, len(s.namespaces))
		}
	}
}

// TestRehearsal types the rows of a file for which there is no audience yet.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	most := 60.0
	for _, c := range []struct {
		name, text string
		change     func(r *Request)
		rejected   int64
		err        string
	}{
		{"all fit", people(3, "gold,z@example.com,1"), nil, 0, ""},
		{"too many rejects", "mail\na@example.com\nnobody\n", nil, 1, "1 of 2 rows would be rejected (50 %, and at most"},
		{"rejects that are allowed", "mail\na@example.com\nnobody\n", func(r *Request) { r.MaxRejectedPercent = &most }, 1, ""},
		{"rejects that are forced", "mail\na@example.com\nnobody\n", func(r *Request) { r.Force = true }, 1, ""},
		{"any identity", "mail\na@example.com\nnobody\n", func(r *Request) { r.AnyIdentity = true }, 0, ""},
		{"no row", "mail\nnobody\nnoone\n", func(r *Request) { r.Force = true }, 2, "no row of list.csv fits"},
		{"pairs without a second identity", people(3, "gold,z@example.com,1"), func(r *Request) { r.ExpressActivation = true }, 0, "<expressActivation> needs a second <identities>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, r := newServer(), byMail()
			r.DryRun = true
			if c.change != nil {
				c.change(&r)
			}
			im := New(t.Context(), r, file(c.text), &someone{})
			err := im.Into(t.Context(), s, false)
			if c.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got the error %v, want %q", err, c.err)
			}
			if im.Result.DryRun != nil && im.Result.DryRun.RowsRejected != c.rejected || len(s.audiences)+len(s.uploads)+len(s.connections) > 0 {
				t.Errorf("%+v; audiences %v", im.Result.DryRun, s.audiences)
			}
		})
	}
}

// TestVerdict judges runs.
func TestVerdict(t *testing.T) {
	t.Parallel()
	rejected := client.Guard{Guard: audience.GuardRejected, Tripped: true, Value: 12.3, Limit: 10, Detail: "123 of 1000 rows are rejected"}
	removed := client.Guard{Guard: audience.GuardRemoved, Tripped: true, Value: 60, Limit: 50, Detail: "600 of 1000 members would leave"}
	for _, c := range []struct {
		name        string
		run         client.Run
		force       bool
		forced, err string
	}{
		{"success", client.Run{Status: client.Success}, false, "", ""},
		{"failed", client.Run{Status: "FAILED", Error: &client.Failure{Code: "1", Detail: "the file is gone"}}, false, "", "the run ended FAILED: 1: the file is gone"},
		{"without a reason", client.Run{Status: "FAILED"}, false, "", "no reason was given"},
		{"stopped", client.Run{Status: "FAILED", Guards: []client.Guard{rejected}}, false, "", "nothing has changed: 123 of 1000 rows are rejected (12.3 %, and at most 10 % may be)"},
		{"both guards", client.Run{Status: "FAILED", Guards: []client.Guard{rejected, removed}}, false, "", "<maxRejectedPercent> 13, or <force>; 600 of 1000"},
		{"forced", client.Run{Status: client.Success, Guards: []client.Guard{removed}}, true, "use <changes>", ""},
		{"dry run", client.Run{Status: client.Success, DryRun: true}, false, "", ""},
		{"dry run that would be stopped", client.Run{Status: client.Success, DryRun: true, Guards: []client.Guard{removed}}, false, "", "the run would be stopped"},
		{"dry run that would be forced", client.Run{Status: client.Success, DryRun: true, Guards: []client.Guard{removed}}, true, "<force>", ""},
		{"dry run of nobody", client.Run{Status: client.Success, DryRun: true, Rows: &client.Rows{Read: 2, Rejected: 2}}, true, "", "no row of list.csv fits"},
	} {
		im := &Import{Request: Request{Force: c.force}, person: &someone{}, file: file(""), Result: Result{Run: &c.run}}
		forced, err := im.Verdict()
		if c.forced == "" != (forced == "") || !strings.Contains(forced, c.forced) {
			t.Errorf("%s: forced %q, want %q", c.name, forced, c.forced)
		}
		if c.err == "" != (err == nil) || err != nil && (!strings.Contains(err.Error(), c.err) || !errors.As(err, new(*RunError))) {
			t.Errorf("%s: %v, want %q", c.name, err, c.err)
		}
	}
}
