package main

import (
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"roster/internal/audience"
	"roster/internal/importing"
)

// parsed reads the flags of an import.
func parsed(t *testing.T, args ...string) (importOptions, error) {
	t.Helper()
	var o importOptions
	f := pflag.NewFlagSet("import", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	o.addFlags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	err := o.read(f)
	slices.Sort(o.Given)
	return o, err
}

// TestImportFlags makes requests of flags.
func TestImportFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		want importing.Request
	}{
		{"--name people", importing.Request{Name: "people"}},
		{"--name people --identity mail=Email --identity a=b=c", importing.Request{Name: "people", Identities: []importing.Identity{{Column: "mail", Namespace: "Email"}, {Column: "a", Namespace: "b=c"}}}},
		{"--name people --columns mail,tier --delete gone --full", importing.Request{Name: "people", Columns: []string{"mail", "tier"}, DeleteColumn: "gone", Full: true}},
		{"--name people --field age=integer --differential", importing.Request{Name: "people", Types: []importing.ColumnType{{Column: "age", Type: audience.Integer}}, Changes: true}},
		{"--name people --ttl 30 --max-rejected 7.5", importing.Request{Name: "people", TTLDays: new(30), MaxRejectedPercent: new(7.5)}},
		{`--name people --delimiter \t --encoding WINDOWS-1252`, importing.Request{Name: "people", Format: audience.Format{Delimiter: "\t", Encoding: "windows-1252"}, Given: []string{"delimiter", "encoding"}}},
		{"--name people --no-header --comment none", importing.Request{Name: "people", Format: audience.Format{Header: new(false)}, Given: []string{"comment", "header"}}},
		{"--name people --no-header=false --skip-lines 2", importing.Request{Name: "people", Format: audience.Format{Header: new(true), SkipLines: 2}, Given: []string{"header", "skipLines"}}},
		{"--name people --decimal-comma=false --null NULL --null - --date-format dd/MM/yyyy",
			importing.Request{Name: "people", Format: audience.Format{NullValues: []string{"NULL", "-"}, DateFormats: []string{"dd/MM/yyyy"}}, Given: []string{"dateFormats", "decimalComma", "nullValues"}}},
		{"--name people --dry-run --force --allow-any-identity --express-activation --keep-rejected-rows --create-namespace",
			importing.Request{Name: "people", DryRun: true, Force: true, AnyIdentity: true, ExpressActivation: true, KeepRejectedRows: true, CreateNamespace: true}},
	} {
		o, err := parsed(t, strings.Fields(c.args)...)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
		if !reflect.DeepEqual(o.Request, c.want) {
			t.Errorf("%s:\n%+v, want\n%+v", c.args, o.Request, c.want)
		}
	}
}

// TestWrongImportFlags refuses flags that make no request, each with all that is wrong.
func TestWrongImportFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"--full":                                          {"--name is missing: the name of the audience"},
		"--name people --full --changes":                  {"--full and --changes exclude each other"},
		"--name people --max-rejected 101":                {"--max-rejected 101 is not a percentage from 0 to 100"},
		"--name people --identity mail":                   {"--identity mail: it must be COLUMN=NAMESPACE, such as mail=Email"},
		"--name people --identity mail=":                  {"--identity mail=: it must be COLUMN=NAMESPACE, such as mail=Email"},
		"--name people --field age":                       {"--field age: the type must be one of [string"},
		"--name people --field age=int":                   {"--field age=int: the type must be one of [string"},
		"--name people --delimiter ab":                    {"--delimiter: "},
		"--name people --date-format xx":                  {"--date-format: "},
		"--name people --encoding klingon":                {"--encoding: "},
		"--name people --server localhost:8080":           {"did you mean http://localhost:8080?"},
		"--name people --server http://localhost":         {"--server needs --credentials"},
		"--name people --credentials c.json":              {"--credentials needs --server"},
		"--name people --max-rejected -1 --delimiter ab":  {"--max-rejected -1 is not a percentage from 0 to 100", "--delimiter: "},
		"--name people --credentials c.json --identity a": {"--credentials needs --server", "--identity a: it must be"},
	} {
		_, err := parsed(t, strings.Fields(args)...)
		for _, text := range want {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want %q", args, err, text)
			}
		}
		if code := exitCode(t.Context(), err); code != exitUsage {
			t.Errorf("%s: exit code %d", args, code)
		}
	}
}

// TestSpellOption writes members of a request as flags.
func TestSpellOption(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ member, value, want string }{
		{"identities", "", "--identity"},
		{"header", "false", "--no-header"},
		{"header", "true", "--no-header=false"},
		{"decimalComma", "true", "--decimal-comma"},
		{"decimalComma", "false", "--decimal-comma=false"},
		{"skipLines", "3", "--skip-lines 3"},
		{"delimiter", ";", `--delimiter ";"`},
		{"delimiter", "\t", `--delimiter "\t"`},
		{"encoding", "shift_jis", "--encoding shift_jis"},
		{"dateFormats", "dd MMM yyyy", `--date-format "dd MMM yyyy"`},
		{"type", "csv", "format.type csv"},
		{"compression", "gzip", "format.compression gzip"},
	} {
		if got := spellOption(c.member, c.value); got != c.want {
			t.Errorf("%s %q is %s, want %s", c.member, c.value, got, c.want)
		}
	}
}

// TestImportFlagsExist checks that each option that a message names is a flag.
func TestImportFlagsExist(t *testing.T) {
	t.Parallel()
	var o importOptions
	f := pflag.NewFlagSet("import", pflag.ContinueOnError)
	o.addFlags(f)
	for _, flags := range []map[string]string{importFlags, formatFlags} {
		for member, flag := range flags {
			if f.Lookup(flag) == nil {
				t.Errorf("there is no flag --%s for %s", flag, member)
			}
		}
	}
}
