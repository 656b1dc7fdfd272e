package lake

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/apache/iceberg-go/table"
)

// maxAhead is the maximum time by which a table's times may be ahead of the clock. iceberg-go rejects a snapshot that
// is more than a minute older than the table.
const maxAhead = 45 * time.Second

// rewind sets times of a table that are in the future to now. A clock that was ahead wrote these times. Without rewind,
// no snapshot could be added until the clock reaches them. The result reports whether there were any. If another
// process changes the table at the same time, that change stays and rewind has no effect.
func (l *Lake) rewind(ctx context.Context, id TableID, t *table.Table) (bool, error) {
	now := time.Now().UnixMilli()
	if t.Metadata().LastUpdatedMillis() <= now+maxAhead.Milliseconds() {
		return false, nil
	}
	return true, l.retime(ctx, id, t, func(at int64) int64 { return min(at, now) })
}

// retime applies change to all times in the metadata of a table.
func (l *Lake) retime(ctx context.Context, id TableID, t *table.Table, change func(int64) int64) error {
	text, err := json.Marshal(t.Metadata())
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	for _, name := range []string{"last-updated-ms", "snapshots", "snapshot-log", "metadata-log"} {
		if fields[name], err = retimed(fields[name], change); err != nil {
			return fmt.Errorf("change %s of a table's metadata: %w", name, err)
		}
	}
	was := t.MetadataLocation()
	is, err := l.files.nextLocation(was)
	if err != nil {
		return err
	}
	if err := l.files.writeMetadata(is, fields); err != nil {
		return fmt.Errorf("write the metadata of table %s.%s: %w", id.Namespace, id.Name, err)
	}
	if _, err := l.catalog.replace(ctx, id, was, is); err != nil {
		return fmt.Errorf("change the metadata of table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return nil
}

// retimed applies change to a time, or to the times in a list of objects.
func retimed(text json.RawMessage, change func(int64) int64) (json.RawMessage, error) {
	if len(text) == 0 || string(text) == "null" {
		return text, nil
	}
	var at int64
	if json.Unmarshal(text, &at) == nil {
		return json.Marshal(change(at))
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	for _, entry := range list {
		if err := json.Unmarshal(entry["timestamp-ms"], &at); err != nil {
			return nil, err
		}
		var err error
		if entry["timestamp-ms"], err = json.Marshal(change(at)); err != nil {
			return nil, err
		}
	}
	return json.Marshal(list)
}
