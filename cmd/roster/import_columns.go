package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// firstRows is what the types of the columns are found out from, before the whole file is read by them.
var firstRows = tabular.Sample{Rows: 10_000, Bytes: 64 << 20}

// locate finds where the file lies.
func (im *importer) locate() error {
	if err := isFile(im.file); err != nil {
		return err
	}
	abs, err := filepath.Abs(im.file)
	if err == nil {
		im.path, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return usagef("%w", named(err))
	}
	im.info, err = os.Stat(im.path)
	return err
}

// inspect finds out what columns the file has, and what becomes of them.
func (im *importer) inspect(ctx context.Context) error {
	err := im.look(ctx)
	if err == nil {
		err = im.makeFields(ctx)
	}
	return err
}

// look finds out how the file is written and what columns it has.
func (im *importer) look(ctx context.Context) error {
	f, err := os.Open(im.path)
	if err != nil {
		return usagef("%w", named(err))
	}
	defer f.Close()
	if err := im.propose(ctx, stored(f, im.info.Size())); err != nil {
		return err
	}
	im.found, err = tabular.Infer(ctx, stored(f, im.info.Size()), im.format.domain(), nil, firstRows)
	if file := (*tabular.FileError)(nil); errors.As(err, &file) && file.Code == tabular.CodeEncryption {
		return fmt.Errorf("%s: the file is encrypted or signed by PGP, and import reads it on this machine, which has no key: decrypt it first, or create its audience by the API with sourceSpec.encryption", im.file)
	}
	if err != nil {
		return im.explain(ctx, fmt.Errorf("%s: %w", im.file, err))
	}
	return nil
}

// headerless reports whether the first line of the file is people.
func (im *importer) headerless() bool {
	f := im.format.domain()
	return !f.HasHeader()
}

// stored is an open file of the given size.
func stored(f *os.File, size int64) tabular.File {
	return tabular.File{Size: size, Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		if length < 0 {
			length = size - offset
		}
		return io.NopCloser(io.NewSectionReader(f, offset, length)), nil
	}}
}

// makeFields makes the fields of the audience of what look has found.
func (im *importer) makeFields(ctx context.Context) (err error) {
	if im.result.Fields, err = im.importFields(im.found.Columns); err != nil {
		err = im.explain(ctx, err)
	}
	return err
}

// importFields makes the fields of the audience of the file's columns and the flags.
func (im *importer) importFields(columns []tabular.Column) ([]client.Field, error) {
	fields := make([]client.Field, len(columns))
	for i, c := range columns {
		f := c.Field()
		fields[i] = client.Field{Name: f.Name, Type: string(f.Type), Proposed: f.Proposed}
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
	for _, flag := range im.fields {
		name, kind, ok := strings.Cut(flag, "=")
		i, err := columnOf(fields, "--field", name)
		if err != nil {
			return nil, err
		}
		if !ok || !slices.Contains(audience.Types, audience.Type(kind)) {
			return nil, usagef("--field %s: the type must be one of %v", flag, audience.Types)
		}
		fields[i].Type, fields[i].Proposed = kind, false
	}
	if im.deleteColumn != "" {
		i, err := columnOf(fields, "--delete", im.deleteColumn)
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
		return fields, identitiesInOrder(fields, places)
	}
	fields = identitiesFirst(fields, places)
	if left := len(fields) - audience.MaxFields; left > 0 {
		fmt.Fprintf(im.out, "An audience has %d fields at most; the last %d columns of the file are left out.\n", audience.MaxFields, left)
		fields = fields[:audience.MaxFields]
	}
	return fields, nil
}

// namedOnce refuses flags that name a column which the header has more than once.
func (im *importer) namedOnce() error {
	named := []string{im.deleteColumn}
	for _, flag := range slices.Concat(im.identities, im.fields) {
		name, _, _ := strings.Cut(flag, "=")
		named = append(named, name)
	}
	for _, name := range named {
		if at := im.found.Places[audience.NameKey(name)]; len(at) > 1 {
			return fmt.Errorf("%s: the header names column %q twice (columns %d and %d); rename or remove one of them", im.file, name, at[0], at[1])
		}
	}
	return nil
}

// pick returns the fields that --columns names, all without it.
func (im *importer) pick(fields []client.Field) ([]client.Field, error) {
	if len(im.columns) == 0 {
		return fields, nil
	}
	if im.headerless() {
		return nil, usagef("--columns needs a header, whose names it picks from; with --no-header the columns are taken in their order")
	}
	picked := map[int]bool{}
	for _, name := range im.columns {
		i, err := columnOf(fields, "--columns", strings.TrimSpace(name))
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

// nameColumns gives the columns of a file without a header the names of the audience's fields, or of the --field flags, when there
// is a flag for each column. Flags that name columns as they were found out name nothing new.
func (im *importer) nameColumns(fields []client.Field) {
	found := func(flag string) bool {
		name, _, _ := strings.Cut(flag, "=")
		return slices.ContainsFunc(fields, func(f client.Field) bool { return strings.EqualFold(f.Name, name) })
	}
	if len(im.fields) != len(fields) || !slices.ContainsFunc(im.fields, func(flag string) bool { return !found(flag) }) {
		for i := range min(len(fields), len(im.before)) {
			fields[i].Name = im.before[i].Name
		}
		return
	}
	for i, flag := range im.fields {
		fields[i].Name, _, _ = strings.Cut(flag, "=")
	}
}

// identify gives the fields that --identity names their namespaces, and returns their places in the order of the flags.
func (im *importer) identify(fields []client.Field) (places []int, err error) {
	for _, flag := range im.identities {
		name, ns, _ := strings.Cut(flag, "=")
		i, err := columnOf(fields, "--identity", name)
		if err != nil {
			return nil, err
		}
		switch f := &fields[i]; {
		case ns == "":
			return nil, usagef("--identity %s: it must be COLUMN=NAMESPACE, such as %s=Email", flag, name)
		case f.IdentityNs != "":
			return nil, usagef("--identity %s: the column was named before, with the namespace %s", flag, f.IdentityNs)
		default:
			f.IdentityNs = ns
			if !im.typeGiven(f.Name) {
				f.Type, f.Proposed = string(audience.String), false // an id of digits keeps its leading zeros
			}
		}
		places = append(places, i)
	}
	return places, nil
}

// identitiesFirst puts the identities first, in the order of their flags, since the first identity of an audience
// makes a member.
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
// stand for the columns in their order, and the first identity makes a member.
func identitiesInOrder(fields []client.Field, places []int) error {
	if slices.IsSorted(places) {
		return nil
	}
	first := fields[slices.Min(places)]
	return usagef("with --no-header the first identity in the order of the columns makes a member, which is %s; give --identity %s=%s first",
		first.Name, first.Name, first.IdentityNs)
}

func (im *importer) typeGiven(column string) bool {
	return slices.ContainsFunc(im.fields, func(flag string) bool {
		name, _, _ := strings.Cut(flag, "=")
		return strings.EqualFold(name, column)
	})
}

// columnOf finds a column that a flag names.
func columnOf(fields []client.Field, flag, name string) (int, error) {
	names := make([]string, len(fields))
	for i, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return i, nil
		}
		names[i] = f.Name
	}
	return 0, &exitError{exitUsage, &missingColumn{flag, name, names}}
}

// showColumns shows how the file is read and what will become of each column.
func (im *importer) showColumns(ctx context.Context) {
	found := im.found
	im.showFormat()
	of := "all " + count(int64(found.Rows))
	if found.More {
		of = "the first " + count(int64(found.Rows))
	}
	fmt.Fprintf(im.out, "%s, %s, %s. Columns, with the types found in %s rows:\n", filepath.Base(im.path), size(im.info.Size()), written(found.Format), of)
	var rows [][]string
	for _, f := range im.result.Fields {
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
		rows = append(rows, []string{f.Name, f.Type, note})
	}
	table(im.out, "  ", rows)
	if n := len(found.Columns) - len(rows); n > 0 && len(im.columns) > 0 {
		fmt.Fprintf(im.out, "Left out by --columns: %d more\n", n)
	}
	if len(found.Nested) > 0 {
		fmt.Fprintf(im.out, "Left out, since they cannot be columns: %s\n", strings.Join(found.Nested, ", "))
	}
	if len(found.Unnamed) > 0 {
		fmt.Fprintf(im.out, "Left out, since no field can have the name, or several columns have it: %q\n", found.Unnamed)
	}
	im.showHints(ctx)
}

// written says how a file is written, as far as it is not how most are.
func written(f audience.Format) string {
	parts := []string{string(f.Type)}
	if f.Compression != audience.None {
		parts = append(parts, "in "+f.Compression)
	}
	if f.Type == audience.CSV && f.Delimiter != "," {
		parts = append(parts, fmt.Sprintf("split at %q", f.Delimiter))
	}
	if f.Encoding != "" && f.Encoding != "utf-8" {
		parts = append(parts, "as "+f.Encoding)
	}
	return strings.Join(parts, " ")
}
