package value

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Words in a column's name that show that its digits are identifiers, not counts: postal codes, phone numbers, account
// numbers and others, in several languages, in lower case and without accents. Digits of such a column may have leading
// zeros in the next file, so the column is text.
var (
	codeWords = setOf(`
		zip zipcode postal postalcode postcode plz postleitzahl postnummer postnr cep eircode pin pincode
		phone tel telephone telefon telefono telefone telefoon mobile mobil movil handy cell cellphone cellulare celular fax msisdn imei imsi rufnummer
		id identifier identifiant identificador uid uuid guid oid gid pk key ref reference referenz referencia kennung ecid gclid
		code kode codigo codice kod sku ean upc gtin isbn issn asin barcode mcc mnc naics fips iata icao
		account acct konto cuenta compte conto conta rekening iban bic swift routing sortcode blz card karte tarjeta carte
		ssn sin nin nino tin ein vat nif nie dni cif cpf cnpj pesel nip bsn siret siren insee passport license licence
		hash md sha checksum token serial imo
		телефон индекс код счет инн номер τηλεφωνο κωδικος`)
	// wholeWords show it only as the whole name: within another name they mean something else.
	wholeWords = setOf("cap cp nr no")
	// numberWords show it as the last of several words, such as in customer number, but not in number of orders.
	numberWords = setOf("number nummer nr no num numero numer nro")
	// codeEndings are the ends of compounds, such as kundennummer.
	codeEndings = []string{"code", "phone", "telefon", "nummer", "nr", "number"}
	// idOwners form one word with id, such as userid. Other words that end in id are not identifiers, such as paid.
	idOwners = setOf(`user customer cust client member person people profile contact lead crm order product item account device cookie visitor session
		store shop campaign company employee student patient subscriber guest partner external audience segment household hh transaction invoice event msg
		message list group national tax apple google advertising ad ads`)
	// codeSigns show it anywhere in a name that is written without spaces.
	codeSigns = []string{"电话", "手机", "邮编", "编号", "身份证", "账号", "電話", "郵便番号", "番号", "コード", "전화", "우편번호"}
)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// NamesCode reports whether a column with that name contains identifiers, even if it contains only digits.
func NamesCode(name string) bool {
	const longest = 256 // bytes; a longer text is not a name
	if len(name) > longest {
		return false
	}
	if slices.ContainsFunc(codeSigns, func(sign string) bool { return strings.Contains(name, sign) }) {
		return true
	}
	words := wordsOf(name)
	if len(words) == 1 && wholeWords[words[0]] || len(words) > 1 && numberWords[words[len(words)-1]] {
		return true
	}
	return slices.ContainsFunc(words, func(w string) bool {
		owner, isID := strings.CutSuffix(w, "id")
		return codeWords[w] || isID && idOwners[owner] ||
			slices.ContainsFunc(codeEndings, func(end string) bool { return len(w) > len(end) && strings.HasSuffix(w, end) })
	})
}

// wordsOf splits a name into its words, in lower case and without accents: at every character that is neither letter
// nor digit, between letters and digits, and at the words of camel case.
func wordsOf(name string) (words []string) {
	letters := []rune(norm.NFKD.String(name))
	letters = slices.DeleteFunc(letters, func(r rune) bool { return unicode.Is(unicode.Mn, r) })
	start := 0
	cut := func(end int) {
		if end > start {
			words = append(words, strings.ToLower(string(letters[start:end])))
		}
		start = end
	}
	for i, r := range letters {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			cut(i)
			start = i + 1
		case i > start && unicode.IsUpper(r) && (!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1])):
			cut(i)
		case i > start && unicode.IsDigit(r) != unicode.IsDigit(letters[i-1]):
			cut(i)
		}
	}
	cut(len(letters))
	return words
}
