package parquet

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"

	"roster/internal/tabular"
)

func TestInt96(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		day    uint32
		nanos  uint64
		micros int64
		out    bool
	}{
		{2_440_588, 0, 0, false},
		{2_440_588, 1_999, 1, false},
		{2_440_587, 86_399_999_999_999, -1, false},
		{5_373_484, 86_399_999_999_999, 253402300799999999, false}, // the end of 9999
		{5_373_485, 0, 0, true},
		{math.MaxUint32, 0, 0, true},
		{0, 0, 0, true},
	} {
		var v parquet.Int96
		binary.LittleEndian.PutUint64(v[:8], c.nanos)
		binary.LittleEndian.PutUint32(v[8:], c.day)
		column := parquetColumn{parquetType: physicalType(parquet.Types.Int96), ints: []int64{microsOf(v)}}
		micros, code := column.micros(0)
		if (code == tabular.CodeRange) != c.out || code == "" && micros != c.micros {
			t.Errorf("day %d: %d %s, want %d", c.day, micros, code, c.micros)
		}
	}
}
