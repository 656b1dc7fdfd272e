package lake

import (
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/parquet/file"

	"roster/internal/identity"
)

// KeyReader reads the keys of a data file that Roster wrote, in order.
type KeyReader struct {
	location string
	reader   *file.Reader
	file     *sumFile
	column   int
	group    int            // the next row group
	keys     []identity.Key // of the row group before
	at       int            // the next key
}

// OpenKeys opens the keys of a data file. It ignores position deletes.
func (d *Dataset) OpenKeys(location string) (*KeyReader, error) {
	r, f, err := d.lake.files.openParquet(location, nil)
	if err != nil {
		return nil, unreadable(nil, location, err)
	}
	k := &KeyReader{location: location, reader: r, file: f}
	columns := d.columns.in(r.MetaData().Schema)
	if k.column, err = columns.leaf(d.columns.field(ColID)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return k, nil
}

// Next returns the next key, or io.EOF after the last one.
func (k *KeyReader) Next() (identity.Key, error) {
	for k.at == len(k.keys) {
		if k.group == k.reader.NumRowGroups() {
			return identity.Key{}, io.EOF
		}
		if err := k.read(); err != nil {
			return identity.Key{}, unreadable(nil, k.location, err)
		}
	}
	k.at++
	return k.keys[k.at-1], nil
}

// read reads the next row group.
func (k *KeyReader) read() (err error) {
	defer recovered(&err)
	rg := k.reader.RowGroup(k.group)
	k.keys, err = readKeys(rg, k.column, resize(k.keys, int(rg.NumRows())))
	k.group, k.at = k.group+1, 0
	return err
}

// Close closes the file.
func (k *KeyReader) Close() error { return k.file.Close() }
