package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Stores reads the stores of connections.
type Stores interface {
	TestConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID) (audience.Connection, error)
	ExploreFolder(ctx context.Context, a audience.Actor, id audience.ConnectionID, folder string) ([]control.Entry, error)
	ExploreFile(ctx context.Context, a audience.Actor, id audience.ConnectionID, file string, typ audience.FileType, preview bool) (control.ExploredFile, error)
}

// The kinds of objects to explore.
const (
	exploreRoot   = "root"
	exploreFolder = "folder"
	exploreFile   = "file"
)

// fileTypes are the flow service's names for the types of files.
var fileTypes = map[string]audience.FileType{"delimited": audience.CSV, "json": audience.JSON, "parquet": audience.Parquet}

// exploration is a request to explore a store.
type exploration struct {
	objectType string
	object     string
	fileType   audience.FileType // "" to detect it
	preview    bool
	properties bool
}

// exploreConnection explores the store of a connection.
func (s *server) exploreConnection(c *call) (answer, error) {
	id, err := c.id("connectionId", "connection")
	if err != nil {
		return answer{}, err
	}
	conn, err := s.Service.Connection(c.Context(), c.actor, audience.ConnectionID(id))
	if err != nil {
		return answer{}, err
	}
	return s.explore(c, conn.ID, conn.SpecID == audience.SpecLandingZone)
}

// exploreSpec explores the store of a kind of connection that needs no connection: the landing zone.
func (s *server) exploreSpec(c *call) (answer, error) {
	id, err := c.id("specId", "connection spec")
	if err != nil {
		return answer{}, err
	}
	kind, known := audience.KindOf(id)
	switch {
	case !known:
		return answer{}, audience.Errorf(audience.NotFound, "there is no connection spec %s", id)
	case id != audience.SpecLandingZone:
		return answer{}, audience.Errorf(audience.Impossible, "the kind %s needs a connection to explore; use /connections/{id}", kind.Name)
	}
	return s.explore(c, "", true)
}

// explore answers the contents of a folder, or the format and the schema of a file.
func (s *server) explore(c *call, conn audience.ConnectionID, landing bool) (answer, error) {
	q := c.query()
	want := q.exploration()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	if want.objectType == exploreFile {
		found, err := s.Service.ExploreFile(c.Context(), c.actor, conn, want.object, want.fileType, want.preview)
		if err != nil {
			return answer{}, err
		}
		return answer{http.StatusOK, exploredFile(&found, want.properties)}, nil
	}
	list, err := s.Service.ExploreFolder(c.Context(), c.actor, conn, want.object)
	if err != nil {
		return answer{}, err
	}
	body := []client.ExploredEntry{}
	for _, e := range list {
		body = append(body, exploredEntry(e, landing))
	}
	return answer{http.StatusOK, body}, nil
}

// exploration reads the parameters of an exploration.
func (q *query) exploration() exploration {
	e := exploration{objectType: exploreRoot, object: q.Get("object"), preview: q.flag("preview"), properties: q.flag("determineProperties")}
	if t := q.Get("objectType"); q.Has("objectType") {
		e.objectType = strings.ToLower(t)
	}
	switch e.objectType {
	case exploreRoot:
		e.object = ""
	case exploreFolder:
		if !q.Has("object") {
			q.problems.Add("object", "is required: the path of the folder; / is the root")
		}
	case exploreFile:
		if audience.RelativePath(e.object) == "" {
			q.problems.Add("object", "is required: the path of the file")
		}
	default:
		q.problems.Add("objectType", "must be %s, %s or %s", exploreRoot, exploreFolder, exploreFile)
	}
	for _, name := range []string{"fileType", "FileType", "FILE_TYPE"} { // spellings of AEP's documents, its API description and its clients
		if t := q.Get(name); q.Has(name) {
			if e.fileType = fileTypes[strings.ToLower(t)]; e.fileType == "" {
				q.problems.Add(name, "must be delimited, json or parquet")
			}
		}
	}
	return e
}

// flag reads a boolean parameter in the spellings of JSON, Python or a shell; absent is false.
func (q *query) flag(name string) bool {
	switch q.Get(name) {
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE", "":
	default:
		q.problems.Add(name, "must be true or false")
	}
	return false
}

// exploredEntry is an entry of a folder. A path in the landing zone begins with the container.
func exploredEntry(e control.Entry, landing bool) client.ExploredEntry {
	b := client.ExploredEntry{Type: exploreFile, Name: e.Path[strings.LastIndexByte(e.Path, '/')+1:], Path: e.Path}
	if landing {
		b.Path = audience.LandingContainer + "/" + e.Path
	}
	if e.Folder {
		b.Type = exploreFolder
		return b
	}
	b.CanPreview, b.CanFetchSchema = e.Usable, e.Usable
	return b
}

func exploredFile(found *control.ExploredFile, properties bool) client.ExploredFile {
	b := client.ExploredFile{Format: "flat", Schema: client.ExploredSchema{Columns: []client.ExploredColumn{}}, Data: []map[string]any{}}
	for _, f := range found.Fields {
		b.Schema.Columns = append(b.Schema.Columns, client.ExploredColumn{Name: f.Name, Type: string(f.Type), XDM: client.XDMType{Type: xdmTypes[f.Type]}})
	}
	for _, row := range found.Rows {
		values := map[string]any{}
		for i, f := range found.Fields {
			if row[i] != nil {
				values[f.Name] = exploredValue(f.Type, *row[i])
			}
		}
		b.Data = append(b.Data, values)
	}
	if properties && found.Format != nil {
		b.Properties = exploredProperties(found.Format)
	}
	return b
}

// xdmTypes are the types of XDM.
var xdmTypes = map[audience.Type]string{
	audience.String: "string", audience.Number: "double", audience.Long: "long", audience.Integer: "integer",
	audience.Date: "date", audience.DateTime: "date-time", audience.Boolean: "boolean",
}

// exploredValue returns a value for JSON: a number or a boolean as such, everything else as text.
func exploredValue(t audience.Type, text string) any {
	switch t {
	case audience.Number, audience.Long, audience.Integer, audience.Boolean:
		if json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	}
	return text
}

// exploredProperties describes the format of a file in the flow service's words.
func exploredProperties(f *audience.Format) *client.ExploredProperties {
	p := &client.ExploredProperties{FileType: string(f.Type), ColumnDelimiter: f.Delimiter}
	switch f.Compression {
	case audience.None:
	case "zip":
		p.CompressionType = "zipDeflate"
	default:
		p.CompressionType = f.Compression
	}
	if f.Type == audience.CSV {
		p.FileType = "delimited"
	}
	return p
}
