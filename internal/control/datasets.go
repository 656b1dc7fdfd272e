package control

import (
	"context"
	"fmt"
	"slices"

	"roster/internal/audience"
)

// DatasetMetadata describes an audience's dataset to other engines.
type DatasetMetadata struct {
	JSON []byte // Iceberg's table metadata, without the columns that the actor may not see
	// Location is the URI of the file with the whole metadata; "" if the actor may not see all columns.
	Location string
}

// DatasetMetadata returns the current metadata of an audience's dataset. It hides columns only in the metadata: an
// actor who can read the dataset's files can read all columns.
func (s *Service) DatasetMetadata(ctx context.Context, a audience.Actor, id audience.ID) (DatasetMetadata, error) {
	if err := allow(a, toRead); err != nil {
		return DatasetMetadata{}, err
	}
	aud, err := s.audience(ctx, s.cfg.Store, a, id)
	if err != nil {
		return DatasetMetadata{}, err
	}
	d, err := s.dataset(ctx, &aud)
	if err != nil {
		return DatasetMetadata{}, err
	}
	seen := aud.SeenBy(a.Grants)
	var hidden []string
	for _, f := range aud.Fields {
		if !slices.ContainsFunc(seen.Fields, func(s audience.Field) bool { return s.Name == f.Name }) {
			hidden = append(hidden, f.Name)
		}
	}
	text, err := d.Metadata(hidden)
	if err != nil {
		return DatasetMetadata{}, fmt.Errorf("describe the dataset of audience %s: %w", aud.ID, err)
	}
	m := DatasetMetadata{JSON: text}
	if len(hidden) == 0 {
		m.Location = d.MetadataLocation()
	}
	return m, nil
}
