package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"roster/client"
	"roster/internal/app"
	"roster/internal/audience"
	"roster/internal/importing"
)

// demo is a demonstration in progress. It knows about Roster only what the HTTP API answers.
type demo struct {
	out, progressTo io.Writer
	app             *app.App
	client          *client.Client
	tap             *tap
	sample          sample

	section  int
	folder   string // of the list, in the landing zone
	audience string
	runs     [2]client.Run
	checks   int
	wrong    []string
}

// tap keeps the last HTTP call, so that the demo shows the calls that it really made.
type tap struct {
	mu     sync.Mutex
	method string
	target string
	status int
	took   time.Duration
}

func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(req)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.method, t.target, t.took = req.Method, req.URL.RequestURI(), time.Since(began)
	if err == nil {
		t.status = resp.StatusCode
	}
	return resp, err
}

func (d *demo) title(text string) {
	d.section++
	fmt.Fprintf(d.out, "\n%d  %s\n", d.section, text)
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "   "+format+"\n", args...)
}

// called shows the last call and its result.
func (d *demo) called(result string, args ...any) {
	d.tap.mu.Lock()
	defer d.tap.mu.Unlock()
	d.say("%s %s\n     → %d  %s", d.tap.method, d.tap.target, d.tap.status, fmt.Sprintf(result, args...))
}

// check compares a number from the server with the number that the sample's generator counted.
func (d *demo) check(what string, got, want any) {
	d.checks++
	if got != want {
		d.wrong = append(d.wrong, fmt.Sprintf("%s: got %v, expected %v", what, got, want))
	}
}

// show runs all steps. Its error lists the checks that failed.
func (d *demo) show(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		d.connect, d.submit, d.firstDay, d.lookUp, d.secondDay, d.lookUpAgain, d.ledger,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if len(d.wrong) > 0 {
		return fmt.Errorf("%d of %d checks failed:\n  %s", len(d.wrong), d.checks, strings.Join(d.wrong, "\n  "))
	}
	d.say("All %d checks against the sample's own counts passed.", d.checks)
	return nil
}

func (d *demo) connect(ctx context.Context) error {
	d.title("A server")
	c, err := client.LoadCredentials(app.CredentialsPath(d.app.DataDir()))
	if err != nil {
		return err
	}
	c.HTTP = &http.Client{Transport: d.tap}
	d.client = c
	d.say("The server runs at %s and stores everything in %s.", d.app.URL(), d.app.DataDir())
	list, err := c.Sandboxes(ctx)
	if err != nil {
		return err
	}
	d.called("%d sandbox: %s (with a token from POST /ims/token/v3)", len(list), c.Sandbox)
	return nil
}

// submit uploads the first day's list and creates the audience.
func (d *demo) submit(ctx context.Context) error {
	name, err := d.freeName(ctx)
	if err != nil {
		return err
	}
	d.folder = "demo/" + strings.ReplaceAll(strings.ToLower(name), " ", "-")
	d.title("A list of people becomes an audience")
	if err := d.upload(ctx, d.sample.days[0]); err != nil {
		return err
	}
	ttl := 30
	submitted, err := d.client.SubmitAudience(ctx, client.NewAudience{
		Name: name, Description: "Members of a loyalty programme, all of them made up", Fields: sampleFields(), TTLInDays: &ttl,
		SourceSpec: client.SourceSpec{SourceParams: client.SourceParams{Path: d.folder, Type: "folder", SourceType: audience.SourceTypeCloud, CloudType: audience.CloudLanding}},
		OriginName: audience.OriginUpload, Labels: []string{"core/C2"},
	})
	if err != nil {
		return err
	}
	d.called("taskId %s", submitted.TaskID)
	d.check("the identity's namespace in the answer", submitted.Fields[0].IdentityNs, "Email")
	task, err := d.client.WaitTask(ctx, submitted.TaskID)
	if err != nil {
		return err
	}
	d.called("%s, audienceId %s", task.Status, task.AudienceID)
	if task.Status != client.Success {
		return &exitError{exitFailed, fmt.Errorf("the submit ended %s: %s", task.Status, importing.FailureText(task.Error))}
	}
	d.audience = task.AudienceID
	return nil
}

// freeName returns a name that no earlier demonstration on this data directory used.
func (d *demo) freeName(ctx context.Context) (string, error) {
	const name = "Loyalty members"
	for n := 1; ; n++ {
		candidate := name
		if n > 1 {
			candidate += " " + strconv.Itoa(n)
		}
		if _, _, found, err := d.client.AudienceNamed(ctx, candidate); err != nil || !found {
			return candidate, err
		}
	}
}

func (d *demo) upload(ctx context.Context, f day) error {
	up, err := d.client.Upload(ctx, d.folder+"/"+f.name, bytes.NewReader(f.data))
	if err != nil {
		return err
	}
	d.called("%s rows, %s", count(f.rows.Read), size(up.Size))
	d.check("the size of "+f.name, up.Size, int64(len(f.data)))
	return nil
}

func (d *demo) firstDay(ctx context.Context) error {
	d.title("The first run reads the list")
	return d.ingest(ctx, 0)
}

func (d *demo) secondDay(ctx context.Context) error {
	d.title("The next day: changes, new people, and people to delete")
	if err := d.upload(ctx, d.sample.days[1]); err != nil {
		return err
	}
	return d.ingest(ctx, 1)
}

// ingest runs the audience over the files that have arrived since the last run, and checks the ledger.
func (d *demo) ingest(ctx context.Context, i int) error {
	began := time.Now()
	started, err := d.client.StartRun(ctx, d.audience, client.RunRequest{})
	if err != nil {
		return err
	}
	d.called("runId %s, only what no run has read yet", started.RunID)
	p := newProgress(d.progressTo, runSteps...)
	run, err := importing.Watch(ctx, d.client, d.audience, started.RunID, p.update)
	p.finish()
	if err != nil {
		return err
	}
	d.runs[i] = run
	took := time.Since(began)
	d.called("%s in %s", run.Status, seconds(took))
	if run.Status != client.Success {
		return &exitError{exitRunFailed, fmt.Errorf("run %s ended %s: %s", run.RunID, run.Status, importing.FailureText(run.Error))}
	}
	want := d.sample.days[i]
	for _, stage := range run.Details {
		d.say("  %-20s %s", stage.Stage, stage.Status)
		d.check("stage "+stage.Stage, stage.Status, client.Success)
	}
	d.check("stages", len(run.Details), 2)
	rows, members := importing.RowsOf(run), importing.MembersOf(run)
	d.check("the rows of "+want.name, audience.Rows(rows), want.rows)
	d.check("the members after "+want.name, audience.Members(members), want.members)
	d.checkRejects(run, want)
	return nil
}

func (d *demo) checkRejects(run client.Run, want day) {
	d.check("the rejects listed for "+want.name, len(run.Rejects), len(want.rejects))
	for i, r := range run.Rejects {
		if i < len(want.rejects) {
			d.check(fmt.Sprintf("reject %d of %s", i+1, want.name), badRow{r.Line, r.Column}, want.rejects[i])
		}
	}
}

func (d *demo) lookUp(ctx context.Context) error {
	d.title("Look-ups")
	if err := d.expect(ctx, d.sample.stayed.email, "realized"); err != nil {
		return err
	}
	return d.expect(ctx, d.sample.stranger, "")
}

func (d *demo) lookUpAgain(ctx context.Context) error {
	d.title("The same look-ups, a day later")
	for _, who := range []struct{ mail, status string }{
		{d.sample.stayed.email, "realized"}, {d.sample.joined.email, "realized"}, {d.sample.left.email, "exited"},
	} {
		if err := d.expect(ctx, who.mail, who.status); err != nil {
			return err
		}
	}
	a, err := d.client.Audience(ctx, d.audience)
	if err != nil {
		return err
	}
	if a.AudienceMeta == nil {
		a.AudienceMeta = &client.AudienceMeta{}
	}
	d.called("%s, the last one expires %s", memberCount(a.AudienceMeta.Members), time.Unix(a.AudienceMeta.ExpiresAt, 0).Format(time.DateOnly))
	d.check("the audience's members", a.AudienceMeta.Members, d.sample.days[1].members.After)
	return nil
}

// expect looks a person up and checks the status of the membership; "" means no membership.
func (d *demo) expect(ctx context.Context, mail, want string) error {
	p, found, err := d.client.Lookup(ctx, "email", mail)
	if err != nil {
		return err
	}
	m, _ := p.Membership(d.audience)
	d.check(mail, m.Status, want)
	switch {
	case !found:
		d.called("nobody by that address")
	case m.Status == "realized":
		d.called("realized, until %s (answered in %.1f ms)", m.ValidUntil, float64(d.tap.took.Microseconds())/1000)
	default:
		d.called("%s", m.Status)
	}
	return nil
}

// ledger shows the outcome of every row of both files.
func (d *demo) ledger(context.Context) error {
	d.title("The ledger: the outcome of every row")
	printLedger(d.out, "   ", d.runs[0], d.runs[1])
	fmt.Fprintln(d.out)
	d.say("Rejected rows, each with its position and reason:")
	printRejects(d.out, "     ", d.runs[:]...)
	fmt.Fprintln(d.out)
	return nil
}

// whereNext shows the commands to try next, with the real ids, while the server still runs.
func (d *demo) whereNext() {
	d.title("Where to go next")
	creds := app.CredentialsPath(d.app.DataDir())
	base := d.app.URL()
	d.say("Get a token for the client of %s:", creds)
	d.say("  SECRET=$(sed -n 's/.*\"client_secret\": \"\\(.*\\)\".*/\\1/p' %s)", creds)
	d.say("  TOKEN=$(curl -s %s/ims/token/v3 -d grant_type=client_credentials -d client_id=%s \\\n     -d client_secret=$SECRET | sed 's/.*\"access_token\": *\"\\([^\"]*\\)\".*/\\1/')", base, d.client.ClientID)
	headers := fmt.Sprintf("-H \"Authorization: Bearer $TOKEN\" -H 'x-api-key: %s' \\\n     -H 'x-gw-ims-org-id: %s' -H 'x-sandbox-name: %s'", d.client.ClientID, d.client.Org, d.client.Sandbox)
	d.say("Look somebody up:")
	d.say("  curl %s \\\n     '%s/data/core/ups/access/entities?entityId=%s&entityIdNS=email'", headers, base, url.QueryEscape(d.sample.joined.email))
	d.say("See the runs:")
	d.say("  curl %s \\\n     %s/data/core/ais/external-audience/%s/runs", headers, base, d.audience)
	d.dataset()
	d.say("Bring your own file:")
	d.say("  roster import people.csv --name people --identity email=Email --server %s --credentials %s", base, creds)
}

// whereNextAfter shows the commands to try next after the server has stopped.
func (d *demo) whereNextAfter(kept bool) {
	d.title("Where to go next")
	if kept {
		d.say("Serve this data:            roster serve --data-dir %s", d.app.DataDir())
		d.dataset()
	} else {
		d.say("Keep the demo running:      roster demo")
		d.say("Keep its data:              roster demo --exit --data-dir DIR")
	}
	d.say("Bring your own file:        roster import people.csv --name people --identity email=Email")
	d.say("Serve the API for good:     roster serve")
}

// dataset shows how other engines open the audience's table.
func (d *demo) dataset() {
	tables, _ := filepath.Glob(filepath.Join(d.app.DataDir(), "lake", "*", d.audience))
	if len(tables) != 1 {
		return
	}
	d.say("The audience is an Apache Iceberg table:")
	d.say("  %s", tables[0])
	if metadata, _ := filepath.Glob(filepath.Join(tables[0], "metadata", "*.metadata.json")); len(metadata) > 0 {
		d.say("  duckdb:    SELECT tier, count(*) FROM iceberg_scan('%s') GROUP BY tier", metadata[len(metadata)-1])
		d.say("  pyiceberg: StaticTable.from_metadata('%s').scan().to_arrow()", metadata[len(metadata)-1])
	}
}
