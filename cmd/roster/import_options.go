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
	receipt             string // a file to write the run's receipt to, or ""
	json                bool
}

// importFlags are flags by the members of a request that they set, and formatFlags by the members of its format, which have the API's names.
var importFlags, formatFlags = map[string]string{
	"name": "name", "identities": "identity", "columns": "columns", "types": "field", "deleteColumn": "delete", "full": "full", "changes": "changes",
	"createNamespace": "create-namespace", "maxRejectedPercent": "max-rejected", "expressActivation": "express-activation", "force": "force",
}, map[string]string{
	"delimiter": "delimiter", "quote": "quote", "escape": "escape", "header": "no-header", "encoding": "encoding", "skipLines": "skip-lines", "comment": "comment",
	"fillShortRows": "fill-short-rows", "decimalComma": "decimal-comma", "nullValues": "null", "dateFormats": "date-format",
}

// spellOption writes a member of a request as a flag, with a value unless it is "".
func spellOption(member, value string) string {
	flag := cmp.Or(importFlags[member], formatFlags[member])
	switch {
	case flag == "": // an option that only the API has
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

// addFlags gives a command the flags of an import.
func (o *importOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Name, "name", "", "`NAME` of the audience")
	f.StringArrayVar(&o.identities, "identity", nil, "identity column and its namespace, `COLUMN=NAMESPACE`, such as email=Email; may be given several times: the first one given makes a member. An audience that exists has its own")
	f.StringSliceVar(&o.Columns, "columns", nil, "`NAMES` of the columns that are wanted, with commas between them; all when absent")
	f.StringArrayVar(&o.fields, "field", nil, "type of a column, `NAME=TYPE`, instead of the one found out; with --no-header, one for each column in their order names them")
	f.StringVar(&o.DeleteColumn, "delete", "", "`COLUMN` that removes the member of its row when it is true or not 0")
	f.BoolVar(&o.Full, "full", false, "the file is the complete list: members that are not in it leave")
	f.BoolVar(&o.Changes, "changes", false, "the file is changes: nobody leaves but by the delete column")
	f.BoolVar(&o.Changes, "differential", false, "the same as --changes")
	f.Int("ttl", audience.DefaultTTLDays, "`DAYS` that a member lives after the last run that brought it, 1 to 90")
	f.BoolVar(&o.CreateNamespace, "create-namespace", false, "create identity namespaces that do not exist")
	addFormatFlags(f, &o.Format)
	f.Float64("max-rejected", audience.DefaultMaxRejectedPercent, "`PERCENT` of rows that may be rejects; more stop the run")
	f.BoolVar(&o.AnyIdentity, "allow-any-identity", false, "take values for identities that cannot be one, such as an e-mail address without @, n/a, or several in one; else they are rejects")
	f.BoolVar(&o.ExpressActivation, "express-activation", false, "rows of one person stay separate members that differ in the second identity; only of an audience that the command creates")
	f.BoolVar(&o.KeepRejectedRows, "keep-rejected-rows", false, "keep the text of rejected rows with the rejects, for 30 days")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would happen and change nothing")
	f.BoolVar(&o.Force, "force", false, "let the run pass guards that stop it")
	f.StringVar(&o.receipt, "receipt", "", "`FILE` to write the run's signed receipt to (see roster verify)")
	f.StringVar(&o.server, "server", "", "address (`URL`) of a server to upload the file to")
	f.StringVar(&o.credentials, "credentials", "", "credentials `FILE` for --server")
	f.BoolVar(&o.json, "json", false, "print one JSON document to standard output")
}

// addFormatFlags gives a command flags that say how a file is written, where that is not to be found out from it.
func addFormatFlags(f *pflag.FlagSet, format *audience.Format) {
	f.StringVar(&format.Delimiter, "delimiter", "", "`CHARACTER` between the columns of a CSV file (found out from the file when absent; \\t is a tab)")
	f.StringVar(&format.Quote, "quote", "", "`CHARACTER` around values of a CSV file, or none")
	f.StringVar(&format.Escape, "escape", "", "`CHARACTER` that takes the next one literally inside quotes, or none, or spreadsheet: an apostrophe before a formula is no part of the value")
	f.Bool("no-header", false, "the first line of a CSV file is people, too; its columns are called column1, column2, …")
	f.StringVar(&format.Encoding, "encoding", "", "`NAME` of the text's encoding, such as windows-1252, shift_jis or gbk (found out from the file when absent)")
	f.IntVar(&format.SkipLines, "skip-lines", 0, "`NUMBER` of lines of a CSV file that stand before its header, such as titles (found out when absent)")
	f.StringVar(&format.Comment, "comment", "", "lines of a CSV file that begin with this `CHARACTER` are no rows; none when there are no such lines (found out when absent)")
	f.BoolVar(&format.FillShortRows, "fill-short-rows", false, "a row of a CSV file with too few columns has no value in the others, and is no reject (found out when absent)")
	f.BoolVar(&format.DecimalComma, "decimal-comma", false, "numbers of a CSV file are written as 1.234,56 (found out when absent)")
	f.StringArrayVar(&format.NullValues, "null", nil, "text that stands for no value, such as NULL; may be given several times")
	f.StringArrayVar(&format.DateFormats, "date-format", nil, "`PATTERN` of dates beside ISO 8601, such as dd/MM/yyyy; may be given several times")
}

// read makes the request of the flags, and finds what is wrong with them.
func (o *importOptions) read(f *pflag.FlagSet) error {
	if ttl, _ := f.GetInt("ttl"); f.Changed("ttl") {
		o.TTLDays = &ttl
	}
	if percent, _ := f.GetFloat64("max-rejected"); f.Changed("max-rejected") {
		o.MaxRejectedPercent = &percent
	}
	return errors.Join(o.check(), o.readColumns(), o.readFormat(f))
}

// check finds what is wrong with the flags together.
func (o *importOptions) check() error {
	switch {
	case o.Name == "":
		return usagef("--name is missing: the name of the audience")
	case o.Full && o.Changes:
		return usagef("--full and --changes exclude each other")
	case o.MaxRejectedPercent != nil && (*o.MaxRejectedPercent < 0 || *o.MaxRejectedPercent > 100):
		return usagef("--max-rejected %g is no percentage", *o.MaxRejectedPercent)
	}
	return (&connector{server: o.server, credentials: o.credentials}).checkServer()
}

// readColumns makes identities and types of the flags that name columns.
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

// readFormat makes the format of the flags, with the encoding's name in its canonical form.
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
