package importing

import (
	"context"
	"reflect"
	"slices"
	"strconv"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
	"roster/internal/wire"
)

// formatOption is an option of formats, by its name in the API.
type formatOption struct {
	member string
	clear  func(f *audience.Format)
	values func(f audience.Format) []string
}

var formatOptions = []formatOption{
	textOption("delimiter", func(f *audience.Format) *string { return &f.Delimiter }),
	textOption("quote", func(f *audience.Format) *string { return &f.Quote }),
	textOption("escape", func(f *audience.Format) *string { return &f.Escape }),
	textOption("encoding", func(f *audience.Format) *string { return &f.Encoding }),
	textOption("comment", func(f *audience.Format) *string { return &f.Comment }),
	{"header", func(f *audience.Format) { f.Header = nil }, func(f audience.Format) []string {
		if f.HasHeader() {
			return nil
		}
		return []string{"false"}
	}},
	{"skipLines", func(f *audience.Format) { f.SkipLines = 0 }, func(f audience.Format) []string {
		if f.SkipLines == 0 {
			return nil
		}
		return []string{strconv.Itoa(f.SkipLines)}
	}},
	{"fillShortRows", func(f *audience.Format) { f.FillShortRows = false }, func(f audience.Format) []string { return truth(f.FillShortRows) }},
	{"decimalComma", func(f *audience.Format) { f.DecimalComma = false }, func(f audience.Format) []string { return truth(f.DecimalComma) }},
	{"nullValues", func(f *audience.Format) { f.NullValues = nil }, func(f audience.Format) []string { return f.NullValues }},
	{"dateFormats", func(f *audience.Format) { f.DateFormats = nil }, func(f audience.Format) []string { return f.DateFormats }},
	{"type", func(f *audience.Format) { f.Type = "" }, func(f audience.Format) []string { return text(string(f.Type)) }},
	textOption("compression", func(f *audience.Format) *string { return &f.Compression }),
}

func textOption(member string, field func(*audience.Format) *string) formatOption {
	return formatOption{member, func(f *audience.Format) { *field(f) = "" }, func(f audience.Format) []string { return text(*field(&f)) }}
}

// text returns the values of a text option; none if it is empty.
func text(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}

// truth returns the values of an option that is false by default.
func truth(set bool) []string {
	if set {
		return []string{"true"}
	}
	return nil
}

// said lists the options of a format in the person's spelling.
func (im *Import) said(f audience.Format) (list []string) {
	for _, o := range formatOptions {
		for _, v := range o.values(f) {
			list = append(list, im.person.Option(o.member, v))
		}
	}
	return list
}

// over returns the person's format, completed by another one for options that the person left open. The person can also
// set an option to no value.
func (im *Import) over(other audience.Format) audience.Format {
	for _, o := range formatOptions {
		if slices.Contains(im.Given, o.member) {
			o.clear(&other)
		}
	}
	return im.Format.With(other)
}

// format is the format for reading the file: the person's, completed by the audience's and by the proposed one.
func (im *Import) format() audience.Format { return im.over(im.audienceFormat.With(im.proposed)) }

// submitted is the format for a new audience of the file, nil if it has no options.
func (im *Import) submitted() *client.Format {
	f := im.format()
	if reflect.DeepEqual(f, audience.Format{}) {
		return nil
	}
	return wire.Format(&f)
}

// formatOf returns the format of an audience's files.
func formatOf(a client.Audience) audience.Format {
	return audience.SourceSpec{Format: wire.FormatOf(a.SourceSpec.Where().Format)}.FormatOf()
}

// propose detects the options that the file needs and that neither the person nor the audience sets.
func (im *Import) propose(ctx context.Context, file tabular.File) error {
	im.proposed = audience.Format{}
	base := im.format()
	p, err := formats.Propose(ctx, file, base, nil)
	if err != nil {
		return err
	}
	f := im.over(p.Format)
	if f.SkipLines != p.Format.SkipLines && base.SkipLines == 0 || f.Comment != p.Format.Comment && base.Comment == "" {
		p.Format.FillShortRows, p.Format.DecimalComma = false, false // detected without lines that the person keeps
	}
	im.proposed, im.utf8 = p.Format, p.UTF8
	why := map[string]string{
		"encoding":      "the file is not UTF-8, and reads well in this encoding",
		"skipLines":     "the header follows these lines",
		"comment":       "lines that begin with it are comments",
		"fillShortRows": "rows with too few columns are null in the others",
		"decimalComma":  "numbers are written as 1.234,56",
	}
	im.foundOut = nil
	for _, o := range formatOptions {
		if slices.Contains(im.Given, o.member) {
			continue
		}
		for _, v := range o.values(p.Format) {
			im.foundOut = append(im.foundOut, im.person.Option(o.member, v)+" ("+why[o.member]+")")
		}
	}
	return nil
}
