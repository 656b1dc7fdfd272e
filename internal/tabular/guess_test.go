package tabular

import (
	"strings"
	"testing"

	"roster/internal/audience"
)

// TestLikelyEncoding writes lists of people in code pages and guesses these.
func TestLikelyEncoding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text      string
		encodings string
	}{
		{"Müller;Köln\nJäger;Düsseldorf\nGroß;Nürnberg\n", "windows-1252 macintosh ibm850"},
		{"José García\nPeña\n", "windows-1252"}, {"René\n", "windows-1252"}, {"François Lefèvre\nÉlodie Bœuf – “a”\n", "windows-1252"},
		{"Søren Ærø\nÅse\nSmörgås\nMüller\nBjörk Guðmundsdóttir\nJosé Núñez\n", "windows-1252"}, {"Prix 5 €\nÇa va à l’été\n", "windows-1252"},
		{"Łukasz Wiśniewski\nGrażyna Żak\nBąk\n", "windows-1250 iso-8859-2"}, {"Jiří Dvořák\nTomáš Kučera\nLucie Veselá\n", "windows-1250"},
		{"Szőke Ödön\nKővári Gergő\nHűvös\n", "windows-1250"}, {"Ayşe Yılmaz\nİbrahim Çağlar\nGüneş Öztürk\n", "windows-1254"},
		{"Šarūnas Žukauskas\nJurgita Šimkutė\nGintarė\n", "windows-1257"},
		{"Иван Петров;Москва\nОльга Сидорова;Санкт-Петербург\n", "windows-1251 koi8-r ibm866 iso-8859-5"}, {"Тарас Шевченко\nЇжакевич Іван\nЄвген\n", "windows-1251 koi8-u"},
		{"Γιώργος Παπαδόπουλος\nΜαρία\n", "windows-1253"}, {"שרה לוי\nדוד כהן\n", "windows-1255"}, {"محمد علي\nفاطمة حسن\n", "windows-1256"}, {"สมชาย ใจดี\nกรุงเทพ\n", "windows-874"},
		{"田中太郎,東京都\n佐藤花子,ｵｵｻｶ\n山田,カタカナ\n", "shift_jis euc-jp"}, {"鈴木一郎\n高橋\n", "shift_jis euc-jp"},
		{"王伟,北京\n李娜,上海市\n张敏,广州\n", "gbk"}, {"王偉,台北市\n陳淑惠,高雄\n", "big5"}, {"김철수,서울\n이영희,부산\n박지훈\n", "euc-kr"},
	} {
		for encoding := range strings.FieldsSeq(c.encodings) {
			plain := c.text
			if encoding != "shift_jis" {
				plain = strings.ReplaceAll(plain, "ｵｵｻｶ", "オオサカ")
			}
			text, err := codePages[encoding].NewEncoder().String("name,mail\n" + plain)
			if err != nil {
				t.Errorf("%s: %q: %v", encoding, c.text, err)
				continue
			}
			got := likelyEncoding([]byte(text))
			same, _ := decodedAs(got, text)
			if want, _ := decodedAs(encoding, text); got == "" || same != want {
				t.Errorf("%q in %s is guessed as %q: %q", c.text, encoding, got, same)
			}
		}
	}
	for encoding, text := range map[string]string{"utf-16le": "a\x00,\x00b\x00\n\x00c\x00,\x00d\x00\n\x00", "utf-16be": "\x00a\x00,\x00b\x00\n\x00c\x00,\x00d\x00\n"} {
		if got := likelyEncoding([]byte(text)); got != encoding {
			t.Errorf("%s is guessed as %q", encoding, got)
		}
	}
	for _, text := range []string{"", "a,b\n", "é\nü\n日本\n", "é\nü\n日本\nJos\xe9\n", "\xff\xfe\xfd\x00\x01\x81\x8d\n\xf0\x9f\xff\n", "a\x00b\n"} {
		if got := likelyEncoding([]byte(text)); got != "" {
			t.Errorf("%q is guessed as %q", text, got)
		}
	}
}

func decodedAs(encoding, text string) (string, error) {
	if codePages[encoding] == nil {
		return "", nil
	}
	return codePages[encoding].NewDecoder().String(text)
}

// TestPropose proposes what a file needs, and nothing that it does not.
func TestPropose(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		file string
		want audience.Format
		as   audience.Format
	}{
		"plain":                 {file: "email,n\na@ex.com,1\nb@ex.com,2\n"},
		"windows":               {file: "email;name\na@ex.com;J\xf6rg\n", want: audience.Format{Encoding: "windows-1252"}},
		"header":                {file: "n\xe4me;email\nAnn;a@ex.com\n", want: audience.Format{Encoding: "windows-1252"}},
		"json":                  {file: "{\"email\":\"a@ex.com\",\"n\":\"J\xf6rg\"}\n", want: audience.Format{Encoding: "windows-1252"}},
		"declared":              {file: "email;name\na@ex.com;J\xf6rg\n", as: audience.Format{Encoding: "iso-8859-1"}},
		"one damaged row":       {file: "email,n\na@ex.com,Jörg\nb@ex.com,Zoë\nc@ex.com,Ren\xe9\n"},
		"titles":                {file: "Customers of May\nexported 2026-05-31\n\nemail;city\na@ex.com;Rom\nb@ex.com;Bari\n", want: audience.Format{SkipLines: 3}},
		"padded titles":         {file: "Customers,,\n,,\nemail,city,n\na@ex.com,Rom,1\nb@ex.com,Bari,2\n", want: audience.Format{SkipLines: 2}},
		"title with commas":     {file: "Report, May, all\nname,email,city,since\nAnn,a@ex.com,Rom,2024-01-01\nBob,b@ex.com,Bari,2024-01-02\n", want: audience.Format{SkipLines: 1}},
		"title of one column":   {file: "Newsletter readers\n\nemail\na@ex.com\nb@ex.com\n", want: audience.Format{SkipLines: 2}},
		"no title":              {file: "name\nLovelace, Ada\nHopper, Grace\nTuring, Alan\n"},
		"no title, no header":   {file: "a@ex.com\nb@ex.com\n", as: audience.Format{Header: &no}},
		"comments":              {file: "# list of people\n# it's \"new, and\nemail,n\na@ex.com,1\n# the end, really\nb@ex.com,2\n", want: audience.Format{Comment: "#"}},
		"comments of a list":    {file: "# list of people\nemail\na@ex.com\n", want: audience.Format{Comment: "#"}},
		"hash in the header":    {file: "#email,n\na@ex.com,1\n"},
		"hash in rows":          {file: "tag,n\n#fun,1\n#sun,2\n"},
		"hashes":                {file: "tag\n#fun\n#sun\n"},
		"short rows":            {file: "email,city,n\na@ex.com,Rom,1\nb@ex.com,Bari\nc@ex.com\n", want: audience.Format{FillShortRows: true}},
		"short header":          {file: "email,n,\na@ex.com,1\nb@ex.com,2\n", want: audience.Format{FillShortRows: true}},
		"footer":                {file: "email,city,n\na@ex.com,Rom,1\n2 rows\n"},
		"footer of two":         {file: "email,city,n\na@ex.com,Rom,1\nTotal,2\n"},
		"broken rows":           {file: "email,city,n\na@ex.com,Rom,1\nb@ex.com,San\nGimignano,2\n"},
		"wrong type":            {file: "email,n,city\na@ex.com,1,Rom\nb@ex.com,Bari\n"},
		"decimal commas":        {file: "email;x\na@ex.com;12,5\nb@ex.com;1.234,56\n", want: audience.Format{DecimalComma: true}},
		"quoted decimal commas": {file: "email,x\na@ex.com,\"12,5\"\n", want: audience.Format{DecimalComma: true}},
		"thousands":             {file: "email;x\na@ex.com;12,500\nb@ex.com;1,234\n"},
		"points and commas":     {file: "email;x;y\na@ex.com;12,5;1.25\n"},
		"texts with commas":     {file: "email;x\na@ex.com;12,5\nb@ex.com;Rom\n"},
		"codes with commas":     {file: "email;zip\na@ex.com;12,5\n"},
		"all": {file: "Kunden\n% Stand: Mai\nemail;Ort;Umsatz\na@ex.com;K\xf6ln;12,5\nb@ex.com;M\xfcnster\n",
			want: audience.Format{Encoding: "windows-1252", SkipLines: 2, FillShortRows: true, DecimalComma: true}},
	} {
		got, err := Propose(t.Context(), stored([]byte(c.file)), c.as, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "all" && got.Format.Comment != "" {
			c.want.Comment = "%"
		}
		if got.Format.Encoding != c.want.Encoding || got.Format.SkipLines != c.want.SkipLines || got.Format.Comment != c.want.Comment ||
			got.Format.FillShortRows != c.want.FillShortRows || got.Format.DecimalComma != c.want.DecimalComma {
			t.Errorf("%s: %+v, want %+v", name, got.Format, c.want)
		}
	}
}
