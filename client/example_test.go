package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"

	"roster/client"
)

// A file of people becomes an audience.
func Example() {
	ctx := context.Background()
	c, err := client.LoadCredentials("roster-data/credentials.json")
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open("people.csv")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.UploadFile(ctx, "lists/people.csv", file, info.Size(), nil); err != nil {
		log.Fatal(err)
	}

	submitted, err := c.SubmitAudience(ctx, client.NewAudience{
		Name: "Loyal", OriginName: "CUSTOM_UPLOAD",
		Fields: []client.Field{{Name: "email", Type: "string", IdentityNs: "Email"}, {Name: "tier", Type: "string"}},
		SourceSpec: client.SourceSpec{SourceParams: client.SourceParams{
			Path: "lists/people.csv", Type: "file", SourceType: "Cloud Storage", CloudType: "DLZ"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	task, err := c.WaitTask(ctx, submitted.TaskID)
	if err != nil {
		log.Fatal(err)
	}
	started, err := c.StartRun(ctx, task.AudienceID, client.RunRequest{})
	if err != nil {
		log.Fatal(err)
	}
	run, err := c.WaitRun(ctx, task.AudienceID, started.RunID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Status, run.Rows.Read, "rows,", run.Rows.Rejected, "rejected")
}

// Somebody is looked up in all audiences.
func ExampleClient_Lookup() {
	c, err := client.LoadCredentials("roster-data/credentials.json")
	if err != nil {
		log.Fatal(err)
	}
	profile, found, err := c.Lookup(context.Background(), "Email", "ada@example.com")
	if err != nil {
		log.Fatal(err)
	}
	if membership, ok := profile.Membership("AUDIENCE-ID"); found && ok {
		fmt.Println(membership.Status)
	}
}

// All members of an audience are written to a file as CSV.
func ExampleClient_Members() {
	c, err := client.LoadCredentials("roster-data/credentials.json")
	if err != nil {
		log.Fatal(err)
	}
	out, err := os.Create("members.csv")
	if err != nil {
		log.Fatal(err)
	}
	defer out.Close()
	if _, err := c.Members(context.Background(), "AUDIENCE-ID", url.Values{"format": {"csv"}}, out); err != nil {
		log.Fatal(err)
	}
}

// The rows that a run rejected are written to a file, to be corrected and resubmitted.
func ExampleClient_Rejects() {
	c, err := client.LoadCredentials("roster-data/credentials.json")
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Rejects(context.Background(), "AUDIENCE-ID", "RUN-ID", client.RejectsCSV, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// A run is undone. Rollback has no method of its own, so Do makes the call.
func ExampleClient_Do() {
	c, err := client.LoadCredentials("roster-data/credentials.json")
	if err != nil {
		log.Fatal(err)
	}
	path := "/core/ais/external-audience/" + url.PathEscape("AUDIENCE-ID") + "/runs/" + url.PathEscape("RUN-ID") + "/rollback"
	var started client.StartedRun
	if err := c.Do(context.Background(), http.MethodPost, path, nil, client.Rollback{Reason: "wrong file"}, &started); err != nil {
		log.Fatal(err)
	}
	run, err := c.WaitRun(context.Background(), "AUDIENCE-ID", started.RunID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Status)
}
