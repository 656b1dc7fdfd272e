// Package importing is the workflow that brings a file of people into an audience: it surveys the file, makes fields of its columns, makes or
// finds the audience, has a run read the file, and judges the run's ledger. The command line and the console share it: each implements Person
// and works through the API.
package importing

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// Request is what a person asks for. Name is required, the rest is optional.
type Request struct {
	Name string // of the audience
	// Identities are the columns that identify people. The first one makes a member. An audience that exists has its own.
	Identities []Identity
	Columns    []string     // the columns that are wanted; all when there are none
	Types      []ColumnType // of columns, instead of those that are found out
	// DeleteColumn removes the member of its row when it is true or not 0.
	DeleteColumn string
	// Format is how the file is written, as far as the person says so, and Given names the members of Format that the person has set, by
	// their names in the API. What is not given is found out from the file.
	Format audience.Format
	Given  []string
	// Full says that the file is the complete list, and Changes that it is not. Where neither is set the workflow asks if it has to know.
	Full, Changes      bool
	TTLDays            *int
	MaxRejectedPercent *float64
	CreateNamespace    bool // namespaces that do not exist
	KeepRejectedRows   bool
	AnyIdentity        bool
	ExpressActivation  bool
	DryRun, Force      bool
}

// Identity is a column that identifies people.
type Identity struct{ Column, Namespace string }

func (i Identity) String() string { return i.Column + "=" + i.Namespace }

// ColumnType is the type of a column.
type ColumnType struct {
	Column string
	Type   audience.Type
}

// File is the file to import.
type File struct {
	Name     string // as the person calls the file
	Path     string // where the file lies: absolute, without symbolic links
	Size     int64  // in bytes
	Modified time.Time
	Content  io.ReaderAt
}

// stored is the file as package tabular reads files.
func (f File) stored() tabular.File {
	return tabular.File{Size: f.Size, Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		if length < 0 {
			length = f.Size - offset
		}
		return io.NopCloser(io.NewSectionReader(f.Content, offset, length)), nil
	}}
}

func (f File) base() string { return filepath.Base(f.Path) }

// API is what the workflow needs of the server; *client.Client has it.
type API interface {
	AudienceNamed(ctx context.Context, name string) (a client.Audience, alike []string, found bool, err error)
	Audience(ctx context.Context, id string) (client.Audience, error)
	SubmitAudience(ctx context.Context, a client.NewAudience) (client.Audience, error)
	WaitTask(ctx context.Context, taskID string) (client.Task, error)
	UpdateAudience(ctx context.Context, id string, p client.AudiencePatch) (client.Audience, error)
	ChangeSource(ctx context.Context, id string, s client.SourceSpec) (client.Audience, error)
	DeleteAudience(ctx context.Context, id string) error
	StartRun(ctx context.Context, audienceID string, r client.RunRequest) (client.StartedRun, error)
	Run(ctx context.Context, audienceID, runID string) (client.Run, error)
	WaitRun(ctx context.Context, audienceID, runID string, progress func(client.Run)) (client.Run, error)
	Runs(ctx context.Context, audienceID string, query url.Values) (client.RunList, error)
	Connection(ctx context.Context, id string) (client.Connection, error)
	ConnectionNamed(ctx context.Context, name string) (conn client.Connection, found bool, err error)
	CreateConnection(ctx context.Context, n client.NewConnection) (client.ConnectionRef, error)
	Namespaces(ctx context.Context) ([]client.Namespace, error)
	CreateNamespace(ctx context.Context, n client.NewNamespace) (client.Namespace, error)
	UploadFile(ctx context.Context, path string, content io.ReaderAt, size int64, progress func(sent int64)) (client.Upload, error)
}

var _ API = (*client.Client)(nil)

// Person is whom the workflow tells what it does, and asks what it cannot know.
type Person interface {
	// Option spells a member of a Request, or of its Format, as the person sets it: by name alone, or with a value when value is not "". Names
	// are those of the API where the API has the member. The values of members that are true or false are these words.
	Option(name, value string) string
	// Tell tells one sentence.
	Tell(text string)
	// Show shows how the file is read and what becomes of its columns.
	Show(c Columns)
	// AskWider shows columns whose types do not fit rows behind the sample, and returns whether to take the wider types. If not, such rows are
	// rejects. Where nobody can be asked the answer is yes.
	AskWider(ctx context.Context, sample int, list []Widened) (bool, error)
	// AskFull returns whether the file is the complete list of an audience that has members. Where nobody can be asked it returns an error.
	AskFull(ctx context.Context, members int64) (bool, error)
	// Progress shows how many bytes of a step are done: of the upload, whose name is Upload, or of a step of the run as the API names it.
	Progress(step string, done, total, rows int64)
}

// Upload is the name of the step that uploads the file.
const Upload = "upload"

// Result is what an import did.
type Result struct {
	Audience        string         `json:"audience"`
	AudienceID      string         `json:"audienceId,omitempty"`
	Created         bool           `json:"created"`         // by this import
	Resumed         bool           `json:"resumed"`         // waited for a run that was in progress
	AlreadyImported bool           `json:"alreadyImported"` // a run had read this version of the file before
	Server          string         `json:"server,omitempty"`
	Fields          []client.Field `json:"fields,omitempty"`
	MissingColumns  []string       `json:"missingColumns,omitempty"` // fields of the audience that the file does not have
	Widened         []Widened      `json:"widened,omitempty"`        // columns whose types the sample had not shown
	Hints           []string       `json:"hints,omitempty"`          // columns of text that may be numbers or dates
	Seconds         float64        `json:"seconds"`
	Run             *client.Run    `json:"run,omitempty"`
	DryRun          *Rehearsal     `json:"dryRun,omitempty"` // of an audience that does not exist yet
}

// Import is the import of one file.
type Import struct {
	Request
	Result Result
	// RunID is the run that the import waits for, "" before there is one.
	RunID string
	// RunBegan is when the import began to wait for the run.
	RunBegan time.Time

	file   File
	person Person
	api    API // nil before Into
	// inPlace says that the server can read the file where it lies.
	inPlace bool

	found tabular.Inferred // what the file's first rows say
	// foundOut are the options that the file needs beside what the person says. utf8 says that the file has characters beyond ASCII and
	// is UTF-8.
	foundOut []string
	utf8     bool
	// encrypted says that the file is encrypted or signed by PGP.
	encrypted bool
	unread    error // why the file cannot be read by itself, as the audience perhaps can; nil when it can be
	// audienceFormat is how the audience reads its files, and proposed what the file needs besides.
	audienceFormat, proposed audience.Format
	before                   []client.Field  // the fields of the audience that exists
	hadFormat                audience.Format // how that audience read its files until now
	has                      []client.Field  // the fields of the audience, nil when there is none yet
}

// New returns an import whose file has been surveyed.
func New(ctx context.Context, r Request, f File, p Person) *Import {
	im := &Import{Request: r, Result: Result{Audience: r.Name}, file: f, person: p}
	if im.unread = im.look(ctx); im.unread == nil {
		im.unread = im.makeFields(ctx)
	}
	return im
}

// Creatable returns an error when the file and the request do not suffice to create an audience.
func (im *Import) Creatable(ctx context.Context) error {
	if im.unread != nil {
		return im.unread
	}
	return im.identified(ctx)
}

// identified refuses to create an audience of people whom nothing identifies.
func (im *Import) identified(ctx context.Context) error {
	if len(im.Identities) > 0 {
		return nil
	}
	return usagef("there is no audience %q yet, and %s is missing: the column that identifies people and its namespace, such as %s; %s",
		im.Name, im.option("identities"), im.option("identities", "email=Email"), im.columnNames(ctx))
}

func (im *Import) tell(format string, args ...any) { im.person.Tell(fmt.Sprintf(format, args...)) }

// option spells a member of the request, with a value if one is given.
func (im *Import) option(name string, value ...string) string {
	if len(value) == 0 {
		return im.person.Option(name, "")
	}
	return im.person.Option(name, value[0])
}
