package input

import (
	"strings"
	"testing"
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
			text, err := CodePages[encoding].NewEncoder().String("name,mail\n" + plain)
			if err != nil {
				t.Errorf("%s: %q: %v", encoding, c.text, err)
				continue
			}
			got := LikelyEncoding([]byte(text))
			same, _ := decodedAs(got, text)
			if want, _ := decodedAs(encoding, text); got == "" || same != want {
				t.Errorf("%q in %s is guessed as %q: %q", c.text, encoding, got, same)
			}
		}
	}
	for encoding, text := range map[string]string{"utf-16le": "a\x00,\x00b\x00\n\x00c\x00,\x00d\x00\n\x00", "utf-16be": "\x00a\x00,\x00b\x00\n\x00c\x00,\x00d\x00\n"} {
		if got := LikelyEncoding([]byte(text)); got != encoding {
			t.Errorf("%s is guessed as %q", encoding, got)
		}
	}
	for _, text := range []string{"", "a,b\n", "é\nü\n日本\n", "é\nü\n日本\nJos\xe9\n", "\xff\xfe\xfd\x00\x01\x81\x8d\n\xf0\x9f\xff\n", "a\x00b\n"} {
		if got := LikelyEncoding([]byte(text)); got != "" {
			t.Errorf("%q is guessed as %q", text, got)
		}
	}
}

func decodedAs(encoding, text string) (string, error) {
	if CodePages[encoding] == nil {
		return "", nil
	}
	return CodePages[encoding].NewDecoder().String(text)
}
