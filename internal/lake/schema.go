package lake

import (
	"github.com/apache/iceberg-go"

	"roster/internal/audience"
)

// Key is the 128-bit identity key that rows are sorted by.
type Key = [16]byte

// System columns, which follow the audience's fields. All are required.
const (
	colID      = "_roster_id"    // the member's key
	colContent = "_roster_row"   // hash of the row's content
	colSince   = "_roster_since" // member since
	colSeen    = "_roster_seen"  // last brought by a run
	colRun     = "_roster_run"   // sequence number of the run that wrote the row
	colFile    = "_roster_file"  // index of the file in that run's manifest
	colLine    = "_roster_line"  // line of the file
)

// tableSchema returns the Iceberg schema of an audience with the given fields. Field ids are positions.
func tableSchema(fields []audience.Field) *iceberg.Schema {
	columns := make([]iceberg.NestedField, 0, len(fields)+7)
	add := func(name string, t iceberg.Type, required bool) {
		columns = append(columns, iceberg.NestedField{ID: len(columns) + 1, Name: name, Type: t, Required: required})
	}
	for _, f := range fields {
		add(f.Name, icebergType(f.Type), false)
	}
	add(colID, iceberg.FixedTypeOf(16), true)
	add(colContent, iceberg.PrimitiveTypes.Int64, true)
	add(colSince, iceberg.PrimitiveTypes.TimestampTz, true)
	add(colSeen, iceberg.PrimitiveTypes.TimestampTz, true)
	add(colRun, iceberg.PrimitiveTypes.Int64, true)
	add(colFile, iceberg.PrimitiveTypes.Int32, true)
	add(colLine, iceberg.PrimitiveTypes.Int64, true)
	return iceberg.NewSchema(0, columns...)
}

func icebergType(t audience.Type) iceberg.Type {
	switch t {
	case audience.Number:
		return iceberg.PrimitiveTypes.Float64
	case audience.Long:
		return iceberg.PrimitiveTypes.Int64
	case audience.Integer:
		return iceberg.PrimitiveTypes.Int32
	case audience.Date:
		return iceberg.PrimitiveTypes.Date
	case audience.DateTime:
		return iceberg.PrimitiveTypes.TimestampTz
	case audience.Boolean:
		return iceberg.PrimitiveTypes.Bool
	}
	return iceberg.PrimitiveTypes.String
}
