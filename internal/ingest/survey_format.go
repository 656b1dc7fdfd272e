package ingest

import (
	"context"
	"reflect"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

// proposeFormat detects the options that the first files require and that the format leaves open.
func (v *surveying) proposeFormat(ctx context.Context) error {
	v.format = v.Spec.FormatOf()
	read := 0
	for i := range v.out.Files {
		f := &v.out.Files[i]
		if f.Status != audience.FileRead {
			continue
		}
		if read++; read > surveyRead {
			break
		}
		p, err := formats.Propose(ctx, v.stored(f), v.format, tabular.ColumnsOf(v.Fields))
		if err != nil {
			return err
		}
		v.merge.AddProposal(f.Path, p)
	}
	all, conflicts := v.merge.Format()
	for _, text := range conflicts {
		v.problem("sourceSpec.format.encoding", "%s", text)
	}
	if !reflect.DeepEqual(all, audience.Format{}) {
		v.out.Proposed = &all
	}
	if len(v.Fields) == 0 {
		v.format = v.format.With(all)
	}
	return nil
}
