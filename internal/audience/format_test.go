package audience_test

import (
	"strings"
	"testing"

	"roster/internal/audience"
)

// problems validates an audience with a format and guards.
func problems(f *audience.Format, g audience.Guards) string {
	d := draft()
	d.Source.Format, d.Guards = f, g
	if err := audience.Validate(&d, audience.Rules{}); err != nil {
		return err.Error()
	}
	return ""
}

func TestFormatIsNormalised(t *testing.T) {
	t.Parallel()
	f := audience.Format{Type: "CSV", Delimiter: "\t", Quote: "'", Escape: `\`, Header: new(bool), Encoding: "UTF-16LE", NullValues: []string{"NULL", ""},
		DateFormats: []string{"dd/MM/yyyy"}, Compression: "GZIP"}
	if err := problems(&f, audience.Guards{}); err != "" {
		t.Fatal(err)
	}
	if f.Type != audience.CSV || f.Encoding != "utf-16le" || f.Compression != "gzip" || f.Delimiter != "\t" || f.HasHeader() {
		t.Errorf("%+v", f)
	}
	if yes := true; !(audience.Format{}).HasHeader() || !(audience.Format{Header: &yes}).HasHeader() {
		t.Error("a file has a header unless it is said that it has none")
	}
}

func TestFormatProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format audience.Format
		says   string
	}{
		"nothing":                {audience.Format{}, ""},
		"all that is none":       {audience.Format{Quote: "none", Escape: "none", Compression: "none"}, ""},
		"escape is the quote":    {audience.Format{Quote: `"`, Escape: `"`}, ""},
		"options of any file":    {audience.Format{Type: audience.Parquet, NullValues: []string{"-"}, DateFormats: []string{"yyyyMMdd"}, Compression: "zip"}, ""},
		"type":                   {audience.Format{Type: "xls"}, `format.type: "xls" is not one of csv, json, parquet`},
		"encoding":               {audience.Format{Encoding: "utf-7"}, `format.encoding: "utf-7" is not supported; use one of utf-8, utf-16le`},
		"compression":            {audience.Format{Compression: "rar"}, `format.compression: "rar" is not one of none, gzip`},
		"long delimiter":         {audience.Format{Delimiter: "||"}, "format.delimiter: must be one ASCII character"},
		"no delimiter":           {audience.Format{Delimiter: "none"}, "format.delimiter: must be one ASCII character"},
		"delimiter not ASCII":    {audience.Format{Delimiter: "§"}, "format.delimiter: must be one ASCII character"},
		"byte not ASCII":         {audience.Format{Quote: "\xff"}, "format.quote: must be one ASCII character"},
		"delimiter a line end":   {audience.Format{Delimiter: "\n"}, "format.delimiter: must be one ASCII character"},
		"quote a return":         {audience.Format{Quote: "\r"}, "format.quote: must be one ASCII character"},
		"escape a zero byte":     {audience.Format{Escape: "\x00"}, "format.escape: must be one ASCII character"},
		"delimiter is the quote": {audience.Format{Delimiter: ";", Quote: ";"}, "format.delimiter: must differ"},
		"delimiter, escape":      {audience.Format{Delimiter: "|", Escape: "|"}, "format.delimiter: must differ"},
		"escape without quotes":  {audience.Format{Quote: "none", Escape: "/"}, "format.escape: works inside quotes only"},
		"header of JSON":         {audience.Format{Type: audience.JSON, Header: new(bool)}, "are of csv files, not of json"},
		"delimiter of Parquet":   {audience.Format{Type: audience.Parquet, Delimiter: ";"}, "are of csv files, not of parquet"},
		"zero byte":              {audience.Format{NullValues: []string{"-", "\x00"}}, "format.nullValues[1]: must not hold a NUL"},
		"date format":            {audience.Format{DateFormats: []string{"yyyyMMdd", "MM/yyyy"}}, `format.dateFormats[1]: "MM/yyyy" must have a year`},
		"many null values":       {audience.Format{NullValues: make([]string, 51)}, "format.nullValues: has 51 entries; at most 50"},
		"many date formats":      {audience.Format{DateFormats: strings.Fields(strings.Repeat("yyyyMMdd ", 51))}, "format.dateFormats: has 51 entries; at most 50"},
	} {
		if err := problems(&c.format, audience.Guards{}); (err == "") != (c.says == "") || !strings.Contains(err, c.says) {
			t.Errorf("%s: %s", name, err)
		}
	}
}

func TestEncodingsBySpelling(t *testing.T) {
	t.Parallel()
	for spelling, want := range map[string]string{
		"cp1252": "windows-1252", "Windows_1251": "windows-1251", "WIN-1250": "windows-1250", "ANSI": "windows-1252", "x-cp1257": "windows-1257",
		"latin1": "iso-8859-1", "ISO_8859-15": "iso-8859-15", "iso8859_2": "iso-8859-2", "ISO-8859-09": "", "Latin-9": "iso-8859-15", "l2": "",
		"SJIS": "shift_jis", "Shift-JIS": "shift_jis", "cp932": "shift_jis", "ms932": "shift_jis", "EUC_JP": "euc-jp", "eucJP": "euc-jp",
		"GB2312": "gbk", "cp936": "gbk", "gb-18030": "gb18030", "BIG5": "big5", "cp950": "big5", "UHC": "euc-kr", "cp949": "euc-kr", "ks_c_5601-1987": "euc-kr",
		"KOI8-R": "koi8-r", "koi8u": "koi8-u", "Mac Roman": "macintosh", "x-mac-cyrillic": "x-mac-cyrillic", "cp850": "ibm850", "DOS-437": "ibm437",
		"UTF8": "utf-8", "utf-8-sig": "utf-8", "UTF-16": "utf-16le", "UTF_16BE": "utf-16be", "us-ascii": "utf-8", "utf-32": "", "windows-1259": "", "": "", "-": "",
	} {
		if got, ok := audience.ResolveEncoding(spelling); got != want || ok != (want != "") {
			t.Errorf("%q is %q, want %q", spelling, got, want)
		}
	}
	for _, name := range audience.Encodings {
		if got, _ := audience.ResolveEncoding(name); got != name {
			t.Errorf("%q is %q", name, got)
		}
	}
}
