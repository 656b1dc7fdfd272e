package tabular

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// parquetField is a field of a Parquet file's schema.
type parquetField struct {
	name   string
	leaf   int  // its number among the file's columns
	nested bool // a struct, a list or a map
}

// fields returns the fields in their order.
func (p *parquetFile) fields() ([]parquetField, error) {
	var fields []parquetField
	err := p.reading(func() error {
		s := p.MetaData().Schema
		leaves := map[schema.Node]int{}
		for i := range s.NumColumns() {
			if root := s.ColumnRoot(i); root.Type() == schema.Primitive {
				leaves[root] = i
			}
		}
		root := s.Root()
		for i := range root.NumFields() {
			node := root.Field(i)
			leaf, ok := leaves[node]
			fields = append(fields, parquetField{name: strings.ToValidUTF8(node.Name(), "\uFFFD"), leaf: leaf, nested: !ok || s.Column(leaf).MaxRepetitionLevel() > 0})
		}
		if len(fields) > maxColumns {
			return &FileError{Code: "TOO_MANY_COLUMNS", Message: fmt.Sprintf("the file has %d columns; at most %d are possible", len(fields), maxColumns)}
		}
		return nil
	})
	return fields, err
}

// match finds the wanted columns.
func (p *parquetFile) match(columns []Column) (found []parquetColumn, h Header, err error) {
	fields, err := p.fields()
	if err != nil {
		return nil, h, err
	}
	wanted := make(map[string]int, len(columns))
	for i, c := range columns {
		wanted[foldName(c.Name)] = i
	}
	have := make([]int, len(columns)) // field of the file, from 1
	for i, f := range fields {
		h.Names = append(h.Names, f.name)
		want, ok := wanted[foldName(f.name)]
		switch {
		case !ok:
			h.Extra = append(h.Extra, f.name)
			continue
		case have[want] > 0:
			return nil, h, &FileError{Code: "DUPLICATE_COLUMN", Message: fmt.Sprintf("the file has column %q twice, as columns %d and %d", columns[want].Name, have[want], i+1)}
		case f.nested:
			return nil, h, &FileError{Code: "NESTED_COLUMN", Message: fmt.Sprintf("column %q is a struct, a list or a map; write it as columns of single values, or leave the field out of the audience", f.name)}
		}
		have[want] = i + 1
		leaf := p.MetaData().Schema.Column(f.leaf)
		t, err := parquetTypeOf(leaf)
		if err != nil {
			return nil, h, parquetError("column %q has the type %v, which cannot be read; write it as text, a number or a date", f.name, err)
		}
		found = append(found, parquetColumn{parquetType: t, name: f.name, leaf: f.leaf, want: want})
	}
	for i, c := range columns {
		if have[i] == 0 {
			h.Missing = append(h.Missing, c.Name)
		}
	}
	return found, h, p.complete(h, columns, have)
}

// complete refuses a file without a column that must be there.
func (p *parquetFile) complete(h Header, columns []Column, have []int) error {
	if len(h.Missing) == len(columns) {
		return &FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the file has none of the audience's fields; its columns are %s", nameList(h.Names))}
	}
	for i, c := range columns {
		if c.Required && have[i] == 0 {
			return &FileError{Code: "MISSING_COLUMN", Message: fmt.Sprintf("the file has no column %q; its columns are %s", c.Name, nameList(h.Names))}
		}
	}
	return nil
}

// parquetGroup is a row group.
type parquetGroup struct {
	index int
	first int64 // the number of its first row in the file, from 1
	rows  int64
}

// groups returns the row groups that have rows. It is an error when one of the columns cannot be read.
func (p *parquetFile) groups(found []parquetColumn) ([]parquetGroup, error) {
	var groups []parquetGroup
	err := p.reading(func() error {
		first := int64(1)
		for i := range p.NumRowGroups() {
			meta := p.MetaData().RowGroup(i)
			rows := meta.NumRows()
			if rows < 0 || rows > 1<<lineDigits-first {
				return fmt.Errorf("row group %d has an impossible number of rows", i)
			}
			if rows == 0 {
				continue
			}
			for _, c := range found {
				if err := readable(meta, c); err != nil {
					return err
				}
			}
			groups = append(groups, parquetGroup{index: i, first: first, rows: rows})
			first += rows
		}
		if p.rows = first - 1; p.rows > bombRows && p.rows/bombRatio > p.source.file.Size {
			return bomb("rows")
		}
		return nil
	})
	return groups, err
}

// lineDigits is how many bits the number of a row may have.
const lineDigits = 40

// readable refuses a column that is compressed by what is not known.
func readable(group *metadata.RowGroupMetaData, c parquetColumn) error {
	chunk, err := group.ColumnChunk(c.leaf)
	if err != nil {
		return err
	}
	if chunk.CryptoMetadata() != nil {
		return parquetError("column %q is encrypted; write the file without encryption", c.name)
	}
	if _, err := compress.GetCodec(chunk.Compression()); err != nil {
		return parquetError("column %q is compressed by %s, which cannot be read; write the file with zstd or snappy", c.name, chunk.Compression())
	}
	return nil
}
