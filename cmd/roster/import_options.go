package main

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"roster/internal/audience"
	"roster/internal/importing"
)

// importOptions are the flags of an import.
type importOptions struct {
	importing.Request
	file                string
	identities, fields  []string
	server, credentials string
	receipt             string // a file for the run's receipt, or ""
	json                bool
}

// importFlags maps members of a request to flags, and formatFlags members of its format. The members have the API's
// names.
var importFlags, formatFlags = map[string]string{
	"name": "name", "identities": "identity", "columns": "columns", "types": "field", "deleteColumn": "delete", "full": "full", "changes": "changes",
	"createNamespace": "create-namespace", "maxRejectedPercent": "max-rejected", "expressActivation": "express-activation", "force": "force",
}, map[string]string{
	"delimiter": "delimiter", "quote": "quote", "escape": "escape", "header": "no-header", "encoding": "encoding", "skipLines": "skip-lines", "comment": "comment",
	"fillShortRows": "fill-short-rows", "decimalComma": "decimal-comma", "nullValues": "null", "dateFormats": "date-format",
}

// spellOption writes a member of a request as a flag, followed by its value unless that is "".
func spellOption(member, value string) string {
	flag := cmp.Or(importFlags[member], formatFlags[member])
	switch {
	case flag == "": // an option that no flag sets
		return "format." + member + " " + value
	case value == "":
		return "--" + flag
	case member == "header" && value == "false", member != "header" && value == "true":
		return "--" + flag
	case member == "header":
		return "--" + flag + "=false"
	case value == "false":
		return "--" + flag + "=" + value
	case strings.ContainsAny(value, " \t;|&<>()$`\\\"'*?#~!"):
		return "--" + flag + " " + strconv.Quote(value)
	}
	return "--" + flag + " " + value
}

// addFlags adds the flags of an import to f.
func (o *importOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Name, "name", "", "`NAME` of the audience")
	f.StringArrayVar(&o.identities, "identity", nil, "identity column and its namespace, `COLUMN=NAMESPACE`, such as email=Email; may be repeated: the first one identifies a member. Not needed for an audience that exists")
	f.StringSliceVar(&o.Columns, "columns", nil, "`NAMES` of the columns to import, separated by commas (default: all)")
	f.StringArrayVar(&o.fields, "field", nil, "type of a column, `NAME=TYPE`, instead of the inferred one; with --no-header, give one for each column, in order, to name the columns")
	f.StringVar(&o.DeleteColumn, "delete", "", "`COLUMN` of delete flags: a row in which it is true, or a number other than 0, removes its member")
	f.BoolVar(&o.Full, "full", false, "the file is the complete list: members that are not in it leave")
	f.BoolVar(&o.Changes, "changes", false, "the file has changes: members leave only by the delete column")
	f.BoolVar(&o.Changes, "differential", false, "same as --changes")
	f.Int("ttl", audience.DefaultTTLDays, "`DAYS` after which a member expires, counted from the last run that contained it, 1 to 90")
	f.BoolVar(&o.CreateNamespace, "create-namespace", false, "create identity namespaces that do not exist")
	addFormatFlags(f, &o.Format)
	f.Float64("max-rejected", audience.DefaultMaxRejectedPercent, "`PERCENT` of rows that may be rejects; a run with more fails")
	f.BoolVar(&o.AnyIdentity, "allow-any-identity", false, "accept values that cannot be an identity, such as an e-mail address without @, n/a, or several addresses in one value; otherwise such rows are rejects")
	f.BoolVar(&o.ExpressActivation, "express-activation", false, "rows of one person with different second identities are separate members; only for an audience that this command creates")
	f.BoolVar(&o.KeepRejectedRows, "keep-rejected-rows", false, "keep the text of rejected rows with the rejects, for 30 days")
	f.BoolVar(&o.DryRun, "dry-run", false, "show what would happen, and change nothing")
	f.BoolVar(&o.Force, "force", false, "run even if a guard would stop the run")
	f.StringVar(&o.receipt, "receipt", "", "`FILE` for the run's signed receipt (see roster verify)")
	f.StringVar(&o.server, "server", "", "address (`URL`) of a server to upload the file to")
	f.StringVar(&o.credentials, "credentials", "", "credentials `FILE` for --server")
	f.BoolVar(&o.json, "json", false, "print one JSON document to standard output")
}

// addFormatFlags adds the flags that describe how a file is written, for the cases where the file does not show it.
func addFormatFlags(f *pflag.FlagSet, format *audience.Format) {
	f.StringVar(&format.Delimiter, "delimiter", "", "`CHARACTER` between the columns of a CSV file (default: detected; \\t is a tab)")
	f.StringVar(&format.Quote, "quote", "", "`CHARACTER` around values of a CSV file, or none")
	f.StringVar(&format.Escape, "escape", "", "`CHARACTER` that escapes the next one inside quotes, or none, or spreadsheet: an apostrophe before a formula is not part of the value")
	f.Bool("no-header", false, "the first line of a CSV file is data, not a header; the columns are named column1, column2, …")
	f.StringVar(&format.Encoding, "encoding", "", "`NAME` of the text's encoding, such as windows-1252, shift_jis or gbk (default: detected)")
	f.IntVar(&format.SkipLines, "skip-lines", 0, "`NUMBER` of lines before the header of a CSV file, such as titles (default: detected)")
	f.StringVar(&format.Comment, "comment", "", "lines of a CSV file that begin with this `CHARACTER` are comments; none means that there are no comments (default: detected)")
	f.BoolVar(&format.FillShortRows, "fill-short-rows", false, "accept rows of a CSV file with too few columns; the missing values are null (default: detected)")
	f.BoolVar(&format.DecimalComma, "decimal-comma", false, "numbers of a CSV file are written as 1.234,56 (default: detected)")
	f.StringArrayVar(&format.NullValues, "null", nil, "text that means null, such as NULL; may be repeated")
	f.StringArrayVar(&format.DateFormats, "date-format", nil, "`PATTERN` of dates in addition to ISO 8601, such as dd/MM/yyyy; may be repeated")
}

// read fills o from the flags, and reports what is wrong with them.
func (o *importOptions) read(f *pflag.FlagSet) error {
	if ttl, _ := f.GetInt("ttl"); f.Changed("ttl") {
		o.TTLDays = &ttl
	}
	if percent, _ := f.GetFloat64("max-rejected"); f.Changed("max-rejected") {
		o.MaxRejectedPercent = &percent
	}
	return errors.Join(o.check(), o.readColumns(), o.readFormat(f))
}

// check reports contradictions between the flags.
func (o *importOptions) check() error {
	switch {
	case o.Name == "":
		return usagef("--name is missing: the name of the audience")
	case o.Full && o.Changes:
		return usagef("--full and --changes exclude each other")
	case o.MaxRejectedPercent != nil && (*o.MaxRejectedPercent < 0 || *o.MaxRejectedPercent > 100):
		return usagef("--max-rejected %g is not a percentage from 0 to 100", *o.MaxRejectedPercent)
	}
	return (&connector{server: o.server, credentials: o.credentials}).checkServer()
}

// readColumns reads the flags that name columns into identities and types.
func (o *importOptions) readColumns() error {
	for _, flag := range o.identities {
		column, namespace, _ := strings.Cut(flag, "=")
		if namespace == "" {
			return usagef("--identity %s: it must be COLUMN=NAMESPACE, such as %s=Email", flag, column)
		}
		o.Identities = append(o.Identities, importing.Identity{Column: column, Namespace: namespace})
	}
	for _, flag := range o.fields {
		column, kind, _ := strings.Cut(flag, "=")
		if !slices.Contains(audience.Types, audience.Type(kind)) {
			return usagef("--field %s: the type must be one of %v", flag, audience.Types)
		}
		o.Types = append(o.Types, importing.ColumnType{Column: column, Type: audience.Type(kind)})
	}
	return nil
}

// readFormat reads the flags of the format. The encoding gets its canonical name.
func (o *importOptions) readFormat(flags *pflag.FlagSet) error {
	f := &o.Format
	switch f.Delimiter {
	case `\t`, "tab":
		f.Delimiter = "\t"
	}
	if f.Comment == audience.None {
		f.Comment = ""
	}
	if headerless, _ := flags.GetBool("no-header"); flags.Changed("no-header") {
		f.Header = new(!headerless)
	}
	for member, flag := range formatFlags {
		if flags.Changed(flag) {
			o.Given = append(o.Given, member)
		}
	}
	var wrong *audience.Error
	if err := audience.CheckFormat(f); errors.As(err, &wrong) {
		first := wrong.Problems[0]
		member, _, _ := strings.Cut(strings.TrimPrefix(first.Path, "format."), "[")
		return usagef("%s: %s", spellOption(member, ""), first.Message)
	}
	return nil
}
