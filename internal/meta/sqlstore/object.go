package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"roster/internal/audience"
)

// objectBatch is how many objects one statement names. Two parameters each stay far below every database's limit.
const objectBatch = 500

// ReadObjects implements meta.Reader.
func (q queries) ReadObjects(ctx context.Context, aud audience.ID, files []audience.PlannedFile) (map[string]bool, error) {
	found := map[string]bool{}
	err := q.view(ctx, func(q queries) error {
		for batch := range slices.Chunk(files, objectBatch) {
			pairs, args := objectPairs(aud, batch, "($%d, $%d)")
			err := q.each(ctx, "the objects read", `SELECT path, version FROM read_objects
				WHERE audience_id = $1 AND (path, version) IN (VALUES `+pairs+`)`, args, func(r row) error {
				var path, version string
				err := r.Scan(&path, &version)
				found[path+"\x00"+version] = true
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// objectPairs writes the pattern, which takes the numbers of two parameters, for the path and version of every
// file; parameter 1 is the audience.
func objectPairs(aud audience.ID, files []audience.PlannedFile, pattern string) (list string, args []any) {
	var b strings.Builder
	args = append(make([]any, 0, 1+2*len(files)), aud)
	for i, f := range files {
		if i > 0 {
			b.WriteString(", ")
		}
		args = append(args, f.Path, f.Version)
		fmt.Fprintf(&b, pattern, len(args)-1, len(args))
	}
	return b.String(), args
}

// recordObjects stores the objects that a run has read, with their versions.
func (t *tx) recordObjects(ctx context.Context, r audience.Run) error {
	var read []audience.PlannedFile
	for _, f := range r.Result.Files {
		if f.Status == audience.FileRead {
			read = append(read, f.PlannedFile)
		}
	}
	for batch := range slices.Chunk(read, objectBatch) {
		rows, args := objectPairs(r.AudienceID, batch, "($1, $%d, $%d)")
		_, err := t.exec(ctx, "the objects read", `INSERT INTO read_objects (audience_id, path, version) VALUES `+rows+` ON CONFLICT DO NOTHING`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}
