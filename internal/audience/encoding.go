package audience

import (
	"fmt"
	"strings"
)

// Encodings are the encodings that a Format may name. "" always means detection.
var Encodings = []string{
	"utf-8", "utf-16le", "utf-16be",
	"windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258", "windows-874",
	"iso-8859-1", "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8", "iso-8859-9", "iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15", "iso-8859-16",
	"koi8-r", "koi8-u", "macintosh", "x-mac-cyrillic",
	"ibm437", "ibm850", "ibm852", "ibm855", "ibm858", "ibm860", "ibm862", "ibm863", "ibm865", "ibm866",
	"shift_jis", "euc-jp", "iso-2022-jp", "gbk", "gb18030", "big5", "euc-kr",
}

// spellings are other names of encodings that people and programs use, without the characters that encodingKey drops.
var spellings = map[string]string{
	"utf8sig": "utf-8", "utf8bom": "utf-8", "ascii": "utf-8", "usascii": "utf-8", "cp65001": "utf-8",
	"utf16": "utf-16le", "ucs2": "utf-16le", "ucs2le": "utf-16le", "unicode": "utf-16le", "cp1200": "utf-16le", "ucs2be": "utf-16be", "cp1201": "utf-16be",
	"ansi": "windows-1252", "xansi": "windows-1252", "tis620": "windows-874", "iso885911": "windows-874", "cp874": "windows-874",
	"latin1": "iso-8859-1", "l1": "iso-8859-1", "cp819": "iso-8859-1", "latin2": "iso-8859-2", "latin3": "iso-8859-3", "latin4": "iso-8859-4",
	"cyrillic": "iso-8859-5", "arabic": "iso-8859-6", "greek": "iso-8859-7", "hebrew": "iso-8859-8", "latin5": "iso-8859-9", "latin6": "iso-8859-10",
	"latin7": "iso-8859-13", "latin8": "iso-8859-14", "latin9": "iso-8859-15", "latin10": "iso-8859-16",
	"koi8": "koi8-r", "koi": "koi8-r", "mac": "macintosh", "macroman": "macintosh", "xmacroman": "macintosh", "cp10000": "macintosh",
	"maccyrillic": "x-mac-cyrillic", "xmacukrainian": "x-mac-cyrillic", "cp10007": "x-mac-cyrillic",
	"sjis": "shift_jis", "xsjis": "shift_jis", "mskanji": "shift_jis", "cp932": "shift_jis", "windows932": "shift_jis", "windows31j": "shift_jis", "ms932": "shift_jis",
	"ujis": "euc-jp", "xeucjp": "euc-jp", "cp51932": "euc-jp", "jis": "iso-2022-jp", "cp50220": "iso-2022-jp",
	"gb2312": "gbk", "gb231280": "gbk", "euccn": "gbk", "xgbk": "gbk", "cp936": "gbk", "windows936": "gbk", "ms936": "gbk", "chinese": "gbk", "cp54936": "gb18030",
	"big5hkscs": "big5", "big5eten": "big5", "xxbig5": "big5", "cnbig5": "big5", "cp950": "big5", "windows950": "big5",
	"ksc56011987": "euc-kr", "ksc5601": "euc-kr", "ksx1001": "euc-kr", "korean": "euc-kr", "uhc": "euc-kr", "cp949": "euc-kr", "windows949": "euc-kr", "ms949": "euc-kr", "cp51949": "euc-kr",
}

// encodingKeys maps the keys of the canonical names and of their spellings to the canonical names.
var encodingKeys = func() map[string]string {
	keys := map[string]string{}
	for _, name := range Encodings {
		key := encodingKey(name)
		keys[key] = name
		for _, family := range []struct{ own, others string }{{"windows125", "cp125 win125 windowscp125 ms125 xcp125"}, {"iso8859", "8859 xiso8859"}, {"ibm", "cp dos cpdos oem"}} {
			if rest, ok := strings.CutPrefix(key, family.own); ok {
				for _, other := range strings.Fields(family.others) {
					keys[other+rest] = name
				}
			}
		}
	}
	for spelling, name := range spellings {
		keys[spelling] = name
	}
	return keys
}()

// encodingKey is equal for spellings of a name that differ in case and punctuation.
func encodingKey(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// ResolveEncoding returns the name in Encodings of an encoding with another usual spelling.
func ResolveEncoding(name string) (canonical string, ok bool) {
	canonical, ok = encodingKeys[encodingKey(name)]
	return canonical, ok
}

// EncodingRemedy tells how to set an encoding of files.
func EncodingRemedy(name string) string {
	return fmt.Sprintf("set \"encoding\": %q in sourceSpec.format, or --encoding %s for roster import", name, name)
}
