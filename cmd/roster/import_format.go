package main

import (
	"context"
	"reflect"

	"github.com/spf13/pflag"

	"roster/client"
	"roster/internal/audience"
)

// formatFlags say how the file is written, where that is not to be found out from it.
type formatFlags struct {
	delimiter, quote, escape, encoding string
	nulls, dates                       []string
	noHeader                           bool
}

func (o *formatFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.delimiter, "delimiter", "", "character between the columns of a CSV file (found out from the file when absent; \\t is a tab)")
	f.StringVar(&o.quote, "quote", "", "character around values of a CSV file, or none")
	f.StringVar(&o.escape, "escape", "", "character that takes the next one literally inside quotes, or none, or spreadsheet: an apostrophe before a formula is no part of the value")
	f.BoolVar(&o.noHeader, "no-header", false, "the first line of a CSV file is people, too; its columns are called column1, column2, …")
	f.StringVar(&o.encoding, "encoding", "", "utf-8, utf-16le, utf-16be, windows-1252 or iso-8859-1")
	f.StringArrayVar(&o.nulls, "null", nil, "text that stands for no value, such as NULL; may be given several times")
	f.StringArrayVar(&o.dates, "date-format", nil, "pattern of dates beside ISO 8601, such as dd/MM/yyyy; may be given several times")
}

// format returns what the flags say, nil when they say nothing.
func (o *formatFlags) format() *client.Format {
	f := client.Format{Delimiter: o.delimiter, Quote: o.quote, Escape: o.escape, Encoding: o.encoding, NullValues: o.nulls, DateFormats: o.dates}
	if f.Delimiter == `\t` {
		f.Delimiter = "\t"
	}
	if o.noHeader {
		f.Header = new(false)
	}
	if reflect.DeepEqual(f, client.Format{}) {
		return nil
	}
	return &f
}

// domain returns the same for reading the file here.
func (o *formatFlags) domain() audience.Format {
	f := o.format()
	if f == nil {
		return audience.Format{}
	}
	return audience.Format{Header: f.Header, Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape, Encoding: f.Encoding, NullValues: f.NullValues, DateFormats: f.DateFormats}
}

// sameFormat refuses to read a file in another way than the audience does.
func (im *importer) sameFormat(a client.Audience) error {
	asked := im.format.format()
	if has := a.SourceSpec.Where().Format; asked != nil && !reflect.DeepEqual(asked, has) {
		return usagef("the audience %q reads its files in another format than the flags say; choose another --name, or leave the flags out", im.name)
	}
	return nil
}

// guard gives an audience that exists the guards that the flags ask for.
func (im *importer) guard(ctx context.Context, a client.Audience) (client.Audience, error) {
	var p client.AudiencePatch
	if g := im.guards(a.Guards); !reflect.DeepEqual(g, a.Guards) {
		p.Guards = g
	}
	if im.keepRejectedRows && !a.KeepRejectedRows {
		p.KeepRejectedRows = &im.keepRejectedRows
	}
	if p.Guards == nil && p.KeepRejectedRows == nil {
		return a, nil
	}
	if _, err := im.client.UpdateAudience(ctx, a.AudienceID, p); err != nil {
		return a, err
	}
	return im.client.Audience(ctx, a.AudienceID)
}

// guards returns the guards of an audience as the flags change them.
func (im *importer) guards(g *client.Guards) *client.Guards {
	if im.maxRejected == nil && !im.anyIdentity {
		return g
	}
	changed := client.Guards{}
	if g != nil {
		changed = *g
	}
	if im.maxRejected != nil {
		changed.MaxRejectedPercent = im.maxRejected
	}
	changed.AllowAnyIdentity = changed.AllowAnyIdentity || im.anyIdentity
	return &changed
}
