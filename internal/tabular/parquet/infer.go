package parquet

import (
	"context"
	"math"

	"github.com/apache/arrow-go/v18/parquet"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Infer proposes columns from the schema of a Parquet file.
func Infer(ctx context.Context, f tabular.File) (out tabular.Inferred, err error) {
	p, err := openParquet(ctx, f, 1, tabular.MaxMemory)
	if err != nil {
		return out, err
	}
	rows, _, err := p.sums()
	if err != nil {
		return out, err
	}
	fields := p.footer.fields
	out.Format = audience.Format{Type: audience.Parquet, Compression: audience.None}
	out.Rows = int(min(rows, math.MaxInt32))
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.name
	}
	once, repeated := tabular.Distinct(names)
	out.Unnamed = repeated
	for i, field := range fields {
		if !once[i] {
			continue
		}
		if field.nested {
			out.Nested = append(out.Nested, field.name)
			continue
		}
		t, err := parquetTypeOf(&fields[i].element)
		if err != nil {
			out.Nested = append(out.Nested, field.name)
			continue
		}
		out.Columns = append(out.Columns, tabular.Column{Name: field.name, Type: t.proposed()})
	}
	return out, nil
}

// proposed returns the narrowest type that keeps every value of a column.
func (t parquetType) proposed() audience.Type {
	const exact = 15 // digits that a double keeps
	switch t.kind {
	case kindBoolean:
		return audience.Boolean
	case kindWhole:
		if t.physical == parquet.Types.Int32 && !t.unsigned {
			return audience.Integer
		}
		return audience.Long
	case kindFloat, kindDouble:
		return audience.Number
	case kindDecimal:
		switch {
		case t.scale == 0 && t.digits <= 9:
			return audience.Integer
		case t.scale == 0 && t.digits <= 18:
			return audience.Long
		case t.scale > 0 && t.digits <= exact:
			return audience.Number
		}
	case kindDate:
		return audience.Date
	case kindTimestamp:
		return audience.DateTime
	}
	return audience.String
}
