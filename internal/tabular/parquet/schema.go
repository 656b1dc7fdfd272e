package parquet

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// parquetField is a field of a Parquet file's schema.
type parquetField struct {
	name    string
	leaf    int  // its number among the file's columns
	nested  bool // a struct, a list or a map
	element parquetElement
}

// match finds the wanted columns. It ignores the types of the others.
func (p *parquetFile) match(columns []tabular.Column) (found []parquetColumn, h tabular.Header, err error) {
	wanted := make(map[string]int, len(columns))
	for i, c := range columns {
		wanted[audience.NameKey(c.Name)] = i
	}
	have := make([]int, len(columns)) // field of the file, counted from 1
	for i := range p.footer.fields {
		f := &p.footer.fields[i]
		h.Names = append(h.Names, f.name)
		want, ok := wanted[audience.NameKey(f.name)]
		switch {
		case !ok:
			h.Extra = append(h.Extra, f.name)
			continue
		case have[want] > 0:
			return nil, h, &tabular.FileError{Code: "DUPLICATE_COLUMN", Message: fmt.Sprintf("the file has column %q twice, as columns %d and %d", columns[want].Name, have[want], i+1)}
		case f.nested:
			return nil, h, &tabular.FileError{Code: "NESTED_COLUMN", Message: fmt.Sprintf("column %q is a struct, a list or a map; write it as columns of single values, or leave the field out of the audience", f.name)}
		}
		have[want] = i + 1
		t, err := parquetTypeOf(&f.element)
		if err != nil {
			return nil, h, parquetError("column %q has the type %v, which is not supported; write it as text, a number or a date", f.name, err)
		}
		found = append(found, parquetColumn{parquetType: t, name: f.name, leaf: f.leaf, want: want, optional: f.element.repetition == parquet.Repetitions.Optional})
	}
	for i, c := range columns {
		if have[i] == 0 {
			h.Missing = append(h.Missing, c.Name)
		}
	}
	return found, h, p.complete(h, columns, have)
}

// complete refuses a file that lacks a required column.
func (p *parquetFile) complete(h tabular.Header, columns []tabular.Column, have []int) error {
	if len(h.Missing) == len(columns) {
		return &tabular.FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the file has none of the audience's fields; its columns are %s", tabular.NameList(h.Names))}
	}
	for i, c := range columns {
		if c.Required && have[i] == 0 {
			return &tabular.FileError{Code: "MISSING_COLUMN", Message: fmt.Sprintf("the file has no column %q; its columns are %s", c.Name, tabular.NameList(h.Names))}
		}
	}
	return nil
}

// flatSchema returns a schema with only the wanted columns, for the library.
func flatSchema(found []parquetColumn) (*schema.Schema, error) {
	var nodes schema.FieldList
	for i, c := range found {
		repetition := parquet.Repetitions.Required
		if c.optional {
			repetition = parquet.Repetitions.Optional
		}
		node, err := schema.NewPrimitiveNodeLogical(fmt.Sprintf("c%d", i), repetition, schema.NoLogicalType{}, c.physical, c.length, -1)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, nodes, -1)
	if err != nil {
		return nil, err
	}
	return schema.NewSchema(root), nil
}

// parquetGroup is a row group.
type parquetGroup struct {
	at    int   // offset of its description in the footer
	first int64 // the number of its first row in the file, from 1
	rows  int64
}

// lineDigits is the largest size of a row's number in bits.
const lineDigits = 40

// groups returns the row groups with rows, and the memory that the wanted columns of one group may need. It returns an
// error if one of these columns cannot be read.
func (p *parquetFile) groups(found []parquetColumn) (groups []parquetGroup, need int64, err error) {
	err = p.reading(func() error {
		first, stored := int64(1), int64(0)
		err := p.footer.eachGroup(found, func(i, at int, rows, _ int64, chunks []parquetChunk) error {
			switch {
			case rows < 0 || rows > 1<<lineDigits-first:
				return fmt.Errorf("row group %d has an impossible number of rows", i+1)
			case rows == 0:
				return nil
			case len(groups) == maxGroups:
				return parquetError("the Parquet file has more than %d row groups with rows; write it with larger ones", maxGroups)
			}
			memory := int64(0)
			for k := range chunks {
				if err := p.readable(&found[k], &chunks[k], i); err != nil {
					return err
				}
				stored += chunks[k].packed
				memory += chunks[k].memory()
			}
			need = max(need, memory)
			groups = append(groups, parquetGroup{at: at, first: first, rows: rows})
			first += rows
			return nil
		})
		switch p.rows = first - 1; {
		case err != nil:
			return err
		case p.rows > bombRows && p.rows/bombRatio > p.source.file.Size:
			return bomb("rows")
		case stored > p.end:
			return errors.New("its columns overlap")
		}
		return nil
	})
	return groups, need, err
}

// memory estimates the memory for reading a column chunk.
func (c *parquetChunk) memory() int64 {
	const usual = 1 << 20 // bytes of a page, and of a dictionary
	return 4*min(max(c.plain, 0), usual) + min(c.packed, usual)
}

// readable refuses a column chunk that cannot be read, or does not lie in the file.
func (p *parquetFile) readable(c *parquetColumn, chunk *parquetChunk, group int) error {
	switch {
	case chunk.sealed:
		return parquetError("column %q is encrypted; write the file without encryption", c.name)
	case chunk.elsewhere:
		return parquetError("column %q is in another file; name the files with the data, not the file that only describes them", c.name)
	case !chunk.known:
		return fmt.Errorf("row group %d has no column %q", group+1, c.name)
	case chunk.codec < 0 || int(chunk.codec) >= len(parquetCodecs):
		return parquetError("column %q is compressed with codec %d, which is not supported; write the file with zstd or snappy", c.name, chunk.codec)
	case !parquetCodecs[chunk.codec].known:
		return parquetError("column %q is compressed with %s, which is not supported; write the file with zstd or snappy", c.name, parquetCodecs[chunk.codec].name)
	case chunk.physical != c.physical:
		return fmt.Errorf("row group %d has column %q as %s, not as %s", group+1, c.name, chunk.physical, c.physical)
	case chunk.start() < int64(len(Magic)) || chunk.packed <= 0 || chunk.packed > p.end || chunk.start() > p.end-chunk.packed:
		return fmt.Errorf("row group %d has column %q at an offset outside the file", group+1, c.name)
	}
	return nil
}
