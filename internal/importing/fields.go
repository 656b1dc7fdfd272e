package importing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
	"roster/internal/wire"
)

// firstRows is the sample for inferring the types of columns, before the whole file is read with them.
var firstRows = tabular.Sample{Rows: 10_000, Bytes: 64 << 20}

// look detects the file's format and its columns.
func (im *Import) look(ctx context.Context) error {
	err := im.propose(ctx, im.file.stored())
	if err != nil {
		return err
	}
	im.found, err = formats.Infer(ctx, im.file.stored(), im.format(), nil, firstRows)
	if file := (*tabular.FileError)(nil); errors.As(err, &file) && file.Code == tabular.CodeEncryption {
		im.encrypted = true
		return fmt.Errorf("%s: the file is encrypted or signed with PGP, but the import reads it on this machine, which has no key: decrypt the file first, or create its audience through the API with sourceSpec.encryption "+
			"and import the file into that audience", im.file.Name)
	}
	if err != nil {
		return im.explain(ctx, fmt.Errorf("%s: %w", im.file.Name, err))
	}
	return nil
}

// headerless reports whether the first line of the file is data.
func (im *Import) headerless() bool {
	f := im.format()
	return !f.HasHeader()
}

// makeFields makes the audience's fields from the result of look.
func (im *Import) makeFields(ctx context.Context) (err error) {
	if im.Result.Fields, err = im.importFields(im.found.Columns); err != nil {
		err = im.explain(ctx, err)
	}
	return err
}

// importFields makes the audience's fields from the file's columns and the request.
func (im *Import) importFields(columns []tabular.Column) ([]client.Field, error) {
	fields := make([]client.Field, len(columns))
	for i, c := range columns {
		fields[i] = wire.Field(c.Field())
	}
	if im.headerless() {
		im.nameColumns(fields)
	}
	if err := im.namedOnce(); err != nil {
		return nil, err
	}
	fields, err := im.pick(fields)
	if err != nil {
		return nil, err
	}
	for _, t := range im.Types {
		i, err := im.columnOf(fields, "types", t.Column)
		if err != nil {
			return nil, err
		}
		fields[i].Type, fields[i].Proposed = string(t.Type), false
	}
	if im.DeleteColumn != "" {
		i, err := im.columnOf(fields, "deleteColumn", im.DeleteColumn)
		if err != nil {
			return nil, err
		}
		fields[i].Role = string(audience.RoleDelete)
	}
	places, err := im.identify(fields)
	if err != nil {
		return nil, err
	}
	if im.headerless() {
		return fields, im.identitiesInOrder(fields, places)
	}
	fields = identitiesFirst(fields, places)
	if left := len(fields) - audience.MaxFields; left > 0 {
		im.tell("An audience has %d fields at most; the last %d columns of the file are left out.", audience.MaxFields, left)
		fields = fields[:audience.MaxFields]
	}
	return fields, nil
}

// namedOnce refuses a request that names a column which the header contains more than once.
func (im *Import) namedOnce() error {
	named := []string{im.DeleteColumn}
	for _, i := range im.Identities {
		named = append(named, i.Column)
	}
	for _, t := range im.Types {
		named = append(named, t.Column)
	}
	for _, name := range named {
		if at := im.found.Places[audience.NameKey(name)]; len(at) > 1 {
			return fmt.Errorf("%s: the header names column %q twice (columns %d and %d); rename or remove one of them", im.file.Name, name, at[0], at[1])
		}
	}
	return nil
}

// pick returns the fields that --columns names, or all without it.
func (im *Import) pick(fields []client.Field) ([]client.Field, error) {
	if len(im.Columns) == 0 {
		return fields, nil
	}
	if im.headerless() {
		return nil, usagef("%s needs a header with the names; with %s the columns are used in their order", im.option("columns"), im.option("header", "false"))
	}
	picked := map[int]bool{}
	for _, name := range im.Columns {
		i, err := im.columnOf(fields, "columns", strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		picked[i] = true
	}
	var left []client.Field
	for i, f := range fields {
		if picked[i] {
			left = append(left, f)
		}
	}
	return left, nil
}

// nameColumns gives the columns of a file without a header the names of the audience's fields, or of Types, if there is
// a name for each column. It changes nothing if Types uses the generated names.
func (im *Import) nameColumns(fields []client.Field) {
	found := func(t ColumnType) bool { return fieldNamed(fields, t.Column) >= 0 }
	if len(im.Types) != len(fields) || !slices.ContainsFunc(im.Types, func(t ColumnType) bool { return !found(t) }) {
		for i := range min(len(fields), len(im.before)) {
			fields[i].Name = im.before[i].Name
		}
		return
	}
	for i, t := range im.Types {
		fields[i].Name = t.Column
	}
}

// identify sets the namespaces of the fields in Identities, and returns their indexes in the order of the request.
func (im *Import) identify(fields []client.Field) (places []int, err error) {
	for _, id := range im.Identities {
		i, err := im.columnOf(fields, "identities", id.Column)
		if err != nil {
			return nil, err
		}
		f := &fields[i]
		if f.IdentityNs != "" {
			return nil, usagef("%s %s: the column was named before, with the namespace %s", im.option("identities"), id, f.IdentityNs)
		}
		f.IdentityNs = id.Namespace
		if !im.typeGiven(f.Name) {
			f.Type, f.Proposed = string(audience.String), false // an id of digits keeps its leading zeros
		}
		places = append(places, i)
	}
	return places, nil
}

// identitiesFirst moves the identities to the front, in the order of the request, since the first identity of an
// audience identifies a member.
func identitiesFirst(fields []client.Field, places []int) []client.Field {
	ordered := make([]client.Field, 0, len(fields))
	for _, i := range places {
		ordered = append(ordered, fields[i])
	}
	for i, f := range fields {
		if !slices.Contains(places, i) {
			ordered = append(ordered, f)
		}
	}
	return ordered
}

// identitiesInOrder refuses identities of a file without a header that are not in the order of its columns: the fields
// follow the columns, and the first identity identifies a member.
func (im *Import) identitiesInOrder(fields []client.Field, places []int) error {
	if slices.IsSorted(places) {
		return nil
	}
	first := fields[slices.Min(places)]
	return usagef("with %s the first identity in the order of the columns makes a member, which is %s; give %s %s=%s first",
		im.option("header", "false"), first.Name, im.option("identities"), first.Name, first.IdentityNs)
}

func (im *Import) typeGiven(column string) bool {
	return slices.ContainsFunc(im.Types, func(t ColumnType) bool { return audience.SameName(t.Column, column) })
}

// columnOf finds a column that the request names.
func (im *Import) columnOf(fields []client.Field, option, name string) (int, error) {
	if i := fieldNamed(fields, name); i >= 0 {
		return i, nil
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return 0, &UsageError{&missingColumn{im.option(option), name, names}}
}

// Columns describes how a file is read and which fields its columns become.
type Columns struct {
	File    string          // the file's name without a folder
	Size    int64           // of the file, in bytes
	Format  audience.Format // how the file is read
	Rows    int             // size of the sample for the types
	More    bool            // the file may have more rows
	Columns []ShownColumn   // the columns that become fields
	LeftOut int             // number of columns that the person excluded
	Nested  []string        // columns without single values
	Unnamed []string        // names that are not valid for a field, and those of several columns
}

// ShownColumn is a column that becomes a field.
type ShownColumn struct {
	Name, Type string
	Note       string // the purpose of the column, or a difference from the audience; "" for none
}

// showColumns shows how the file is read and which fields its columns become.
func (im *Import) showColumns(ctx context.Context) {
	im.showFormat()
	found := im.found
	c := Columns{File: im.file.base(), Size: im.file.Size, Format: found.Format, Rows: found.Rows, More: found.More, Nested: found.Nested, Unnamed: found.Unnamed}
	for _, f := range im.Result.Fields {
		note := ""
		switch {
		case f.IdentityNs != "":
			note = "identity, " + f.IdentityNs
		case f.Role != "":
			note = "removes the member when true"
		}
		if at := fieldNamed(im.has, f.Name); at >= 0 && im.has[at].Type != f.Type {
			note = strings.TrimPrefix(note+", "+im.has[at].Type+" in the audience", ", ")
		}
		c.Columns = append(c.Columns, ShownColumn{f.Name, f.Type, note})
	}
	if len(im.Columns) > 0 {
		c.LeftOut = max(0, len(found.Columns)-len(c.Columns))
	}
	im.person.Show(c)
	im.showHints(ctx)
}
