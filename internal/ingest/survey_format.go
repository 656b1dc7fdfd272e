package ingest

import (
	"context"
	"reflect"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

// proposeFormat finds out what the first files need to be read by that the format leaves open. One format is for all files, so that
// an encoding and lines to skip are proposed only when they suit each of them.
func (v *survey) proposeFormat(ctx context.Context) error {
	v.format = v.Spec.FormatOf()
	var all audience.Format
	read, utf8 := 0, ""
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
		if p.UTF8 && utf8 == "" {
			utf8 = f.Path
		}
		if read > 1 && p.Format.SkipLines != all.SkipLines {
			all.SkipLines, p.Format.SkipLines = 0, 0
		}
		if mine := p.Format.Encoding; mine != "" && all.Encoding != "" && mine != all.Encoding {
			v.problem(v.Spec.At("format.encoding"), "the files are in several encodings, such as %s, which looks like %s, while others look like %s; convert them to one, or make an audience of each",
				f.Path, mine, all.Encoding)
		}
		all = all.With(p.Format)
	}
	if all.Encoding != "" && utf8 != "" {
		v.problem(v.Spec.At("format.encoding"), "some files look like %s, but %s is UTF-8; convert them to one encoding, or make an audience of each", all.Encoding, utf8)
		all.Encoding = ""
	}
	if !reflect.DeepEqual(all, audience.Format{}) {
		v.out.Proposed = &all
	}
	if len(v.Fields) == 0 {
		v.format = v.format.With(all)
	}
	return nil
}
