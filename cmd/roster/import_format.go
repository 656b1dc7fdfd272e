package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// formatFlags say how the file is written, where that is not to be found out from it.
type formatFlags struct {
	delimiter, quote, escape, encoding string
	nulls, dates                       []string
	noHeader                           bool
	proposed                           audience.Format // what the file needs that the flags do not say
}

func (o *formatFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.delimiter, "delimiter", "", "character between the columns of a CSV file (found out from the file when absent; \\t is a tab)")
	f.StringVar(&o.quote, "quote", "", "character around values of a CSV file, or none")
	f.StringVar(&o.escape, "escape", "", "character that takes the next one literally inside quotes, or none, or spreadsheet: an apostrophe before a formula is no part of the value")
	f.BoolVar(&o.noHeader, "no-header", false, "the first line of a CSV file is people, too; its columns are called column1, column2, …")
	f.StringVar(&o.encoding, "encoding", "", "encoding of the text, such as windows-1252, shift_jis or gbk (UTF-8, or what its byte order mark says, when absent)")
	f.StringArrayVar(&o.nulls, "null", nil, "text that stands for no value, such as NULL; may be given several times")
	f.StringArrayVar(&o.dates, "date-format", nil, "pattern of dates beside ISO 8601, such as dd/MM/yyyy; may be given several times")
}

// check finds what is wrong with the flags, and puts the encoding's name in its canonical form.
func (o *formatFlags) check() error {
	f := o.domain()
	var wrong *audience.Error
	if err := audience.CheckFormat(&f); errors.As(err, &wrong) {
		first := wrong.Problems[0]
		return usagef("--%s: %s", strings.TrimPrefix(first.Path, "format."), first.Message)
	}
	o.encoding = f.Encoding
	return nil
}

// given is what the flags say.
func (o *formatFlags) given() audience.Format {
	f := audience.Format{Delimiter: o.delimiter, Quote: o.quote, Escape: o.escape, Encoding: o.encoding, NullValues: o.nulls, DateFormats: o.dates}
	if f.Delimiter == `\t` {
		f.Delimiter = "\t"
	}
	if o.noHeader {
		f.Header = new(false)
	}
	return f
}

// silent reports whether the flags say nothing.
func (o *formatFlags) silent() bool { return reflect.DeepEqual(o.given(), audience.Format{}) }

// domain is how the file is read: as the flags say, and what was proposed.
func (o *formatFlags) domain() audience.Format { return o.given().With(o.proposed) }

// submitted is domain for an audience of the file, nil when there is nothing to say.
func (o *formatFlags) submitted() *client.Format {
	f := o.domain()
	if reflect.DeepEqual(f, audience.Format{}) {
		return nil
	}
	return &client.Format{Header: f.Header, Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape, Encoding: f.Encoding, NullValues: f.NullValues, DateFormats: f.DateFormats,
		SkipLines: f.SkipLines, Comment: f.Comment, FillShortRows: f.FillShortRows, DecimalComma: f.DecimalComma}
}

// propose finds out what the file needs to be read by that the flags do not say.
func (im *importer) propose(ctx context.Context, file tabular.File) error {
	p, err := tabular.Propose(ctx, file, im.format.domain(), nil)
	if err != nil {
		return err
	}
	im.format.proposed, im.foundOut = p.Format, nil
	for _, option := range []struct {
		found bool
		text  string
	}{
		{p.Format.Encoding != "", fmt.Sprintf("encoding %s, since it is not UTF-8 and reads well so (--encoding says otherwise)", p.Format.Encoding)},
		{p.Format.SkipLines > 0, fmt.Sprintf("skipLines %d: the header is behind them", p.Format.SkipLines)},
		{p.Format.Comment != "", fmt.Sprintf("comment %q: lines that begin with it are no rows", p.Format.Comment)},
		{p.Format.FillShortRows, "fillShortRows: rows with too few columns have no value in the others"},
		{p.Format.DecimalComma, "decimalComma: numbers are written as 1.234,56"},
	} {
		if option.found {
			im.foundOut = append(im.foundOut, option.text)
		}
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
