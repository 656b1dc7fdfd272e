package lake

import (
	"github.com/apache/iceberg-go"

	"roster/internal/audience"
)

// Names of the system columns, which follow the audience's fields. All are required.
const (
	ColID      = "_roster_id"    // the member's key
	ColContent = "_roster_row"   // hash of the row's content
	ColSince   = "_roster_since" // member since
	ColSeen    = "_roster_seen"  // last seen by a run
	ColRun     = "_roster_run"   // sequence number of the run that wrote the row
	ColFile    = "_roster_file"  // index of the file in the manifest of that run
	ColLine    = "_roster_line"  // line in the file
)

// tableSchema returns the Iceberg schema of an audience with the given fields. Field ids are positions. The column of the
// keys identifies a row: an identity column may be null in Iceberg's terms, and with express activation two of them
// identify a member.
func tableSchema(fields []audience.Field) *iceberg.Schema {
	columns := make([]iceberg.NestedField, 0, len(fields)+7)
	add := func(name string, t iceberg.Type, required bool) {
		columns = append(columns, iceberg.NestedField{ID: len(columns) + 1, Name: name, Type: t, Required: required})
	}
	for _, f := range fields {
		add(f.Name, icebergType(f.Type), false)
	}
	key := len(columns) + 1
	add(ColID, iceberg.FixedTypeOf(16), true)
	add(ColContent, iceberg.PrimitiveTypes.Int64, true)
	add(ColSince, iceberg.PrimitiveTypes.TimestampTz, true)
	add(ColSeen, iceberg.PrimitiveTypes.TimestampTz, true)
	add(ColRun, iceberg.PrimitiveTypes.Int64, true)
	add(ColFile, iceberg.PrimitiveTypes.Int32, true)
	add(ColLine, iceberg.PrimitiveTypes.Int64, true)
	return iceberg.NewSchemaWithIdentifiers(0, []int{key}, columns...)
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
