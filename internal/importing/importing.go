// Package importing is the workflow that imports a file of people into an audience: it surveys the file, makes fields
// from its columns, creates or finds the audience, starts a run that reads the file, and judges the run's ledger. The
// command line and the console share it: each implements Person and works through the API.
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

// Request is the person's request. Name is required, the rest is optional.
type Request struct {
	Name string // of the audience
	// Identities are the columns that identify people. The first one identifies a member. An existing audience has its
	// own.
	Identities []Identity
	Columns    []string     // the columns to import; empty means all
	Types      []ColumnType // of columns, instead of the inferred types
	// DeleteColumn is the column of delete flags: a row in which it is true, or a number other than 0, removes its
	// member.
	DeleteColumn string
	// Format is the file's format as far as the person sets it. Given names the members of Format that the person has
	// set, by their names in the API. The others are detected from the file.
	Format audience.Format
	Given  []string
	// Full means that the file is the complete list, and Changes that it is not. If neither is set, the workflow asks
	// when it needs to know.
	Full, Changes      bool
	TTLDays            *int
	MaxRejectedPercent *float64
	CreateNamespace    bool // create namespaces that do not exist
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
	Name     string // in the person's spelling
	Path     string // absolute, without symbolic links
	Size     int64  // in bytes
	Modified time.Time
	Content  io.ReaderAt
}

// stored returns the file for package tabular.
func (f File) stored() tabular.File {
	return tabular.File{Size: f.Size, Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		if length < 0 {
			length = f.Size - offset
		}
		return io.NopCloser(io.NewSectionReader(f.Content, offset, length)), nil
	}}
}

func (f File) base() string { return filepath.Base(f.Path) }

// API is the part of the client that the workflow needs; *client.Client implements it.
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

// Person is the user interface: the workflow reports to it and asks it for decisions.
type Person interface {
	// Option spells a member of a Request, or of its Format, as the person sets it: only the name, or with a value if
	// value is not "". Names are those of the API if the API has the member. The values of boolean members are true and
	// false.
	Option(name, value string) string
	// Tell shows one sentence.
	Tell(text string)
	// Show shows how the file is read and which fields its columns become.
	Show(c Columns)
	// AskWider shows columns whose types do not fit rows after the sample, and returns whether to use the wider types.
	// If not, such rows are rejects. If nobody can be asked, the answer is yes.
	AskWider(ctx context.Context, sample int, list []Widened) (bool, error)
	// AskFull returns whether the file is the complete list of an audience that has members. If nobody can be asked, it
	// returns an error.
	AskFull(ctx context.Context, members int64) (bool, error)
	// Progress shows how many bytes of a step are done. The step is Upload, or a step of the run with its name in the
	// API.
	Progress(step string, done, total, rows int64)
}

// Upload is the name of the step that uploads the file.
const Upload = "upload"

// Result is the result of an import.
type Result struct {
	Audience        string         `json:"audience"`
	AudienceID      string         `json:"audienceId,omitempty"`
	Created         bool           `json:"created"`         // by this import
	Resumed         bool           `json:"resumed"`         // the import waited for a run that was already in progress
	AlreadyImported bool           `json:"alreadyImported"` // a run had already read this version of the file
	Server          string         `json:"server,omitempty"`
	Fields          []client.Field `json:"fields,omitempty"`
	MissingColumns  []string       `json:"missingColumns,omitempty"` // fields of the audience that are missing in the file
	Widened         []Widened      `json:"widened,omitempty"`        // columns whose types the sample did not show
	Hints           []string       `json:"hints,omitempty"`          // text columns that may contain numbers or dates
	Seconds         float64        `json:"seconds"`
	Run             *client.Run    `json:"run,omitempty"`
	DryRun          *DryRun        `json:"dryRun,omitempty"` // for an audience that does not exist yet
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
	// inPlace means that the server can read the file in place.
	inPlace bool

	found tabular.Inferred // the result of the survey of the file's first rows
	// foundOut are the options that the file needs in addition to the person's. utf8 means that the file has characters
	// beyond ASCII and is UTF-8.
	foundOut []string
	utf8     bool
	// encrypted means that the file is encrypted or signed with PGP.
	encrypted bool
	unread    error // why the file cannot be read with its own format; nil if it can
	// audienceFormat is the format of the audience's files, and proposed the additional options that the file needs.
	audienceFormat, proposed audience.Format
	before                   []client.Field  // the fields of an existing audience
	hadFormat                audience.Format // the format of an existing audience until now
	has                      []client.Field  // the fields of the audience, nil before there is one
}

// New returns an import of a file that it has surveyed.
func New(ctx context.Context, r Request, f File, p Person) *Import {
	im := &Import{Request: r, Result: Result{Audience: r.Name}, file: f, person: p}
	if im.unread = im.look(ctx); im.unread == nil {
		im.unread = im.makeFields(ctx)
	}
	return im
}

// Creatable returns an error if the file and the request do not suffice to create an audience.
func (im *Import) Creatable(ctx context.Context) error {
	if im.unread != nil {
		return im.unread
	}
	return im.identified(ctx)
}

// identified refuses to create an audience without an identity.
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
