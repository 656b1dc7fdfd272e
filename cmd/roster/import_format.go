package main

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// formatFlags say how the file is written, where that is not to be found out from it.
type formatFlags struct {
	flags    *pflag.FlagSet
	format   audience.Format // of the flags but noHeader
	noHeader bool
	// audience is how the audience reads its files, and proposed what the file needs besides.
	audience, proposed audience.Format
}

func (o *formatFlags) add(f *pflag.FlagSet) {
	o.flags = f
	f.StringVar(&o.format.Delimiter, "delimiter", "", "`CHARACTER` between the columns of a CSV file (found out from the file when absent; \\t is a tab)")
	f.StringVar(&o.format.Quote, "quote", "", "`CHARACTER` around values of a CSV file, or none")
	f.StringVar(&o.format.Escape, "escape", "", "`CHARACTER` that takes the next one literally inside quotes, or none, or spreadsheet: an apostrophe before a formula is no part of the value")
	f.BoolVar(&o.noHeader, "no-header", false, "the first line of a CSV file is people, too; its columns are called column1, column2, …")
	f.StringVar(&o.format.Encoding, "encoding", "", "`NAME` of the text's encoding, such as windows-1252, shift_jis or gbk (found out from the file when absent)")
	f.IntVar(&o.format.SkipLines, "skip-lines", 0, "`NUMBER` of lines of a CSV file that stand before its header, such as titles (found out when absent)")
	f.StringVar(&o.format.Comment, "comment", "", "lines of a CSV file that begin with this `CHARACTER` are no rows; none when there are no such lines (found out when absent)")
	f.BoolVar(&o.format.FillShortRows, "fill-short-rows", false, "a row of a CSV file with too few columns has no value in the others, and is no reject (found out when absent)")
	f.BoolVar(&o.format.DecimalComma, "decimal-comma", false, "numbers of a CSV file are written as 1.234,56 (found out when absent)")
	f.StringArrayVar(&o.format.NullValues, "null", nil, "text that stands for no value, such as NULL; may be given several times")
	f.StringArrayVar(&o.format.DateFormats, "date-format", nil, "`PATTERN` of dates beside ISO 8601, such as dd/MM/yyyy; may be given several times")
}

// formatOption is an option of formats as the command line has it.
type formatOption struct {
	flag, member string // on the command line and in the API
	clear        func(f *audience.Format)
	values       func(f audience.Format) []string
}

// formatOptions are those of the flags, and the two that only the API has.
var formatOptions = []formatOption{
	textOption("delimiter", "delimiter", func(f *audience.Format) *string { return &f.Delimiter }),
	textOption("quote", "quote", func(f *audience.Format) *string { return &f.Quote }),
	textOption("escape", "escape", func(f *audience.Format) *string { return &f.Escape }),
	textOption("encoding", "encoding", func(f *audience.Format) *string { return &f.Encoding }),
	textOption("comment", "comment", func(f *audience.Format) *string { return &f.Comment }),
	{"no-header", "header", func(f *audience.Format) { f.Header = nil }, func(f audience.Format) []string { return truth(!f.HasHeader()) }},
	{"skip-lines", "skipLines", func(f *audience.Format) { f.SkipLines = 0 }, func(f audience.Format) []string {
		if f.SkipLines == 0 {
			return nil
		}
		return []string{strconv.Itoa(f.SkipLines)}
	}},
	{"fill-short-rows", "fillShortRows", func(f *audience.Format) { f.FillShortRows = false }, func(f audience.Format) []string { return truth(f.FillShortRows) }},
	{"decimal-comma", "decimalComma", func(f *audience.Format) { f.DecimalComma = false }, func(f audience.Format) []string { return truth(f.DecimalComma) }},
	{"null", "nullValues", func(f *audience.Format) { f.NullValues = nil }, func(f audience.Format) []string { return f.NullValues }},
	{"date-format", "dateFormats", func(f *audience.Format) { f.DateFormats = nil }, func(f audience.Format) []string { return f.DateFormats }},
	{"", "type", func(f *audience.Format) { f.Type = "" }, func(f audience.Format) []string { return text(string(f.Type)) }},
	textOption("", "compression", func(f *audience.Format) *string { return &f.Compression }),
}

func textOption(flag, member string, field func(*audience.Format) *string) formatOption {
	return formatOption{flag, member, func(f *audience.Format) { *field(f) = "" }, func(f audience.Format) []string { return text(*field(&f)) }}
}

// text is a value of an option, none when it is empty.
func text(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}

// truth is the value of an option that is set or not.
func truth(set bool) []string {
	if set {
		return []string{""}
	}
	return nil
}

// said lists the options of a format as they are said on the command line.
func said(f audience.Format) (list []string) {
	for _, o := range formatOptions {
		for _, v := range o.values(f) {
			switch {
			case o.flag == "":
				v = "format." + o.member + " " + v
			case v == "":
				v = "--" + o.flag
			case strings.ContainsAny(v, " \t;|&<>()$`\\\"'*?#~!"):
				v = "--" + o.flag + " " + strconv.Quote(v)
			default:
				v = "--" + o.flag + " " + v
			}
			list = append(list, v)
		}
	}
	return list
}

// check finds what is wrong with the flags, and puts the encoding's name in its canonical form.
func (o *formatFlags) check() error {
	switch o.format.Delimiter {
	case `\t`, "tab":
		o.format.Delimiter = "\t"
	}
	if o.format.Comment == audience.None {
		o.format.Comment = ""
	}
	f := o.given()
	var wrong *audience.Error
	if err := audience.CheckFormat(&f); errors.As(err, &wrong) {
		first := wrong.Problems[0]
		member, _, _ := strings.Cut(strings.TrimPrefix(first.Path, "format."), "[")
		at := slices.IndexFunc(formatOptions, func(o formatOption) bool { return o.member == member })
		return usagef("--%s: %s", formatOptions[at].flag, first.Message)
	}
	o.format.Encoding = f.Encoding
	return nil
}

// given is what the flags say.
func (o *formatFlags) given() audience.Format {
	f := o.format
	if o.flags.Changed("no-header") {
		f.Header = new(!o.noHeader)
	}
	return f
}

// over is what the flags say, and another format where they say nothing. A flag also says that there is no value.
func (o *formatFlags) over(other audience.Format) audience.Format {
	for _, option := range formatOptions {
		if option.flag != "" && o.flags.Changed(option.flag) {
			option.clear(&other)
		}
	}
	return o.given().With(other)
}

// domain is how the file is read: as the flags say, as the audience reads its files, and what was proposed.
func (o *formatFlags) domain() audience.Format { return o.over(o.audience.With(o.proposed)) }

// submitted is domain for an audience of the file, nil when there is nothing to say.
func (o *formatFlags) submitted() *client.Format {
	f := o.domain()
	if reflect.DeepEqual(f, audience.Format{}) {
		return nil
	}
	return &client.Format{Type: string(f.Type), Header: f.Header, Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape, Encoding: f.Encoding,
		NullValues: f.NullValues, DateFormats: f.DateFormats, Compression: f.Compression,
		SkipLines: f.SkipLines, Comment: f.Comment, FillShortRows: f.FillShortRows, DecimalComma: f.DecimalComma}
}

// formatOf is how an audience reads its files.
func formatOf(a client.Audience) audience.Format {
	f := a.SourceSpec.Where().Format
	if f == nil {
		return audience.Format{}
	}
	return audience.Format{Type: audience.FileType(f.Type), Header: f.Header, Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape, Encoding: f.Encoding,
		NullValues: f.NullValues, DateFormats: f.DateFormats, Compression: f.Compression,
		SkipLines: f.SkipLines, Comment: f.Comment, FillShortRows: f.FillShortRows, DecimalComma: f.DecimalComma}
}

// propose finds out what the file needs to be read by that neither the flags nor the audience say.
func (im *importer) propose(ctx context.Context, file tabular.File) error {
	im.format.proposed = audience.Format{}
	base := im.format.domain()
	p, err := tabular.Propose(ctx, file, base, nil)
	if err != nil {
		return err
	}
	f := im.format.over(p.Format)
	if f.SkipLines != p.Format.SkipLines && base.SkipLines == 0 || f.Comment != p.Format.Comment && base.Comment == "" {
		p.Format.FillShortRows, p.Format.DecimalComma = false, false // they were found with lines left out that the flags keep
	}
	im.format.proposed, im.utf8 = p.Format, p.UTF8
	im.foundOut = nil
	found := p.Format
	for _, option := range formatOptions {
		if im.format.flags.Changed(option.flag) {
			option.clear(&found)
		}
	}
	why := map[string]string{
		"--encoding":        "it is not UTF-8, and reads well so",
		"--skip-lines":      "the header stands behind these lines",
		"--comment":         "lines that begin with it are no rows",
		"--fill-short-rows": "rows with too few columns have no value in the others",
		"--decimal-comma":   "numbers are written as 1.234,56",
	}
	for _, option := range said(found) {
		flag, _, _ := strings.Cut(option, " ")
		im.foundOut = append(im.foundOut, option+" ("+why[flag]+")")
	}
	return nil
}
