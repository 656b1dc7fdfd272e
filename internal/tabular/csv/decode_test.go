package csv

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/tabulartest"
)

// encode writes text, and the surrogates that it has as U+E000 and above, in UTF-16.
func encode(order binary.AppendByteOrder, text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		if unit >= 0xe000 && unit < 0xe800 {
			unit -= 0x800
		}
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// TestUTF16 holds files in UTF-16 against the same files in UTF-8, read in chunks of any size and byte by byte.
func TestUTF16(t *testing.T) {
	t.Parallel()
	bodies := append([]string{"", "\U0001f600,日本\n", "\"\U0001f600\n\",2\r\n\U0001f600,\uFFFD\n", "1,2,3\nx,\"", strings.Repeat("é,\U0001f600\n", 3_000)}, bodies[:9]...)
	for _, body := range bodies {
		for _, mark := range []string{"", "\ufeff"} {
			for _, header := range []string{"a,b\n", "a,b\r", "\"a\";b\n"} {
				file := mark + header + body
				want := readAs(t, file, tabulartest.Text("a", "b"), audience.Format{})
				for encoding, order := range map[string]binary.AppendByteOrder{"utf-16le": binary.LittleEndian, "utf-16be": binary.BigEndian} {
					f := audience.Format{Encoding: encoding}
					if mark != "" {
						f.Encoding = "windows-1252" // the mark wins
					}
					got := readAs(t, encode(order, file), tabulartest.Text("a", "b"), f)
					if got.Err == "" && got.Header.Format.Encoding != encoding {
						t.Errorf("%q in %s: read as %s", file, encoding, got.Header.Format.Encoding)
					}
					got.Header, want.Header = tabular.Header{}, tabular.Header{}
					for i := range want.Rejects {
						want.Rejects[i].Reason = strings.Replace(want.Rejects[i].Reason, "UTF-8", strings.ToUpper(encoding), 1)
					}
					if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
						t.Errorf("%.80q in %s:\n%.400s\nin UTF-8:\n%.400s", file, encoding, a, b)
					}
				}
			}
		}
	}
}

// TestUndecodable reads rows with surrogates that stand alone: each is a reject, and no other row is.
func TestUndecodable(t *testing.T) {
	t.Parallel()
	const high, low = "\ue000", "\ue400" // encode writes U+D800 and U+DC00
	file := "a,b,x\n1,2,3\n" + high + ",2,3\n4," + low + ",5\n6,7," + low + "\n8,\uFFFD,9\n" + high + high + low + ",2,3\n" + low + low + "\n" + high + "\n10,11,12\n"
	got := readAs(t, encode(binary.BigEndian, file), tabulartest.Text("a", "b"), audience.Format{Encoding: "utf-16be"})
	want := "2: \"1\" \"2\"\n5: \"6\" \"7\"\n6: \"8\" \"\uFFFD\"\n10: \"10\" \"11\"\n" +
		"3+1@12: ENCODING a\n4+1@20: ENCODING b\n7+1@44: ENCODING a\n8+1@56: COLUMN_COUNT \n9+1@60: COLUMN_COUNT \n"
	if got.Shown() != want {
		t.Errorf("got\n%swant\n%s", got.Shown(), want)
	}
	if r := got.Rejects[0].Reason; r != "the value is not valid UTF-16BE" {
		t.Error(r)
	}
	odd := readAs(t, encode(binary.LittleEndian, "\ufeffa,b\n1,2\n3,4")+"\n", tabulartest.Text("a", "b"), audience.Format{})
	if got, want := odd.Shown(), "2: \"1\" \"2\"\n3+1@11: ENCODING b\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestSingleByteEncodings(t *testing.T) {
	t.Parallel()
	file := "n\xe4me;b\n\xc4nn \x80\x93;\xff\n"
	for encoding, want := range map[string]string{"windows-1252": "2: \"Änn €“\" \"ÿ\"\n", "iso-8859-1": "2: \"Änn \\u0080\\u0093\" \"ÿ\"\n"} {
		got := readAs(t, file, tabulartest.Text("NÄME", "b"), audience.Format{Encoding: encoding})
		if got.Shown() != want || got.Header.Format.Encoding != encoding {
			t.Errorf("%s: got %s, want %s", encoding, got.Shown(), want)
		}
	}
	if got := read(t, file, tabulartest.Text("näme", "b")); got.Err != "ENCODING" || !strings.Contains(got.Message, "looks like windows-1252: set \"encoding\": \"windows-1252\" in sourceSpec.format") {
		t.Errorf("%+v", got)
	}
}

// TestUndefinedBytes rejects what is no character in Windows-1252, since different identities would become the same.
func TestUndefinedBytes(t *testing.T) {
	t.Parallel()
	got := readAs(t, "a;b\n1;\x81\n2;x\x8d\x8d\n3;\x8fx\n4;\x80\n5;\x90\n6;\x9d\n", tabulartest.Text("a", "b"), audience.Format{Encoding: "windows-1252"})
	if len(got.Rows) != 1 || len(got.Rejects) != 5 {
		t.Fatal(got.Shown())
	}
	for _, r := range got.Rejects {
		if r.Code != tabular.CodeEncoding || r.Column != "b" || r.Reason != "the value is not valid WINDOWS-1252" {
			t.Errorf("%+v", r)
		}
	}
	latin := readAs(t, "b\n\x81\n", tabulartest.Text("b"), audience.Format{Encoding: "iso-8859-1"})
	if len(latin.Rejects) > 0 {
		t.Errorf("%+v", latin.Rejects)
	}
}

// TestCodePages reads a file in each code page, in chunks of any size, and one that it cannot be.
func TestCodePages(t *testing.T) {
	t.Parallel()
	for encoding, c := range map[string]struct{ text, broken string }{
		"windows-1250": {"Łukasz Dvořák", "\x81"}, "windows-1251": {"Иван Петров", "\x98"}, "windows-1253": {"Γιώργος", "\xaa"}, "windows-1254": {"Ayşe Işık", "\x81"},
		"windows-1255": {"שלום", "\xd9"}, "windows-1257": {"Šarūnas Ķēniņš", "\x81"}, "windows-874": {"สวัสดี", "\xff"}, "iso-8859-2": {"Łukasz", ""}, "iso-8859-15": {"Œuvre €", ""},
		"koi8-r": {"Иван Петров", ""}, "koi8-u": {"Їжак", ""}, "macintosh": {"Müller Ærø", ""}, "x-mac-cyrillic": {"Иван", ""}, "ibm850": {"Müller", ""}, "ibm866": {"Иван", ""},
		"shift_jis": {"田中 ソース表能|ﾃｽﾄ", "\x85\x40"}, "euc-jp": {"田中 ソース", "\xa9\xa1"}, "iso-2022-jp": {"田中 ソース", ""}, "gbk": {"王伟 镕 €", "\xff"}, "gb18030": {"王伟 𠮷 é", "\xff"},
		"big5": {"王偉 許功蓋", "\xff"}, "euc-kr": {"김철수 펲", "\xc9\x21"},
	} {
		page := input.CodePages[encoding]
		encoded, err := page.NewEncoder().String("name;mail\n" + strings.Repeat(c.text+";a@example.com\n", 700) + "x;b@example.com\n")
		if err != nil {
			t.Fatal(encoding, err)
		}
		if c.broken != "" {
			encoded += c.broken + ";c@example.com\nAda;d@example.com\n"
		}
		got := readAs(t, encoded, tabulartest.Text("name", "mail"), audience.Format{Encoding: encoding})
		rejects := 0
		if c.broken != "" {
			rejects = 1
		}
		if len(got.Rows) != 701+rejects || len(got.Rejects) != rejects || !strings.HasPrefix(got.Shown(), fmt.Sprintf("2: %q", c.text)) {
			t.Errorf("%s: %d rows, %v: %.100s", encoding, len(got.Rows), got.Rejects, got.Shown())
			continue
		}
		if rejects > 0 && (got.Rejects[0].Code != tabular.CodeEncoding || got.Rejects[0].Line != 703 || got.Rejects[0].Offset != int64(len("name;mail\nx;b@example.com\n")+700*len(c.text+";a@example.com\n"))) {
			t.Errorf("%s: %+v", encoding, got.Rejects[0])
		}
	}
	for _, name := range audience.Encodings {
		if name != "utf-8" && input.Decoder(name) == nil {
			t.Errorf("there is no decoder of %s", name)
		}
	}
}

func TestReaderErrorBehindDecoder(t *testing.T) {
	t.Parallel()
	r := io.MultiReader(strings.NewReader(encode(binary.LittleEndian, "\ufeffa\n"+strings.Repeat("1\n", input.WindowSize))), iotest.ErrReader(io.ErrClosedPipe))
	if got := readOnce(r, tabulartest.Text("a"), tabular.Options{Workers: 1}); got.Err != "READ" {
		t.Errorf("%+v", got)
	}
}
