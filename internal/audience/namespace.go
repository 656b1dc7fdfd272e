package audience

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// Namespace is an identity namespace. Codes differ ignoring case.
type Namespace struct {
	ID          int
	Code        string
	Name        string
	Description string
	IDType      string // one of IDTypes
	Custom      bool
}

// Identity types, spelled as AEP answers them.
const (
	idCookie      = "Cookie"
	idCrossDevice = "Cross_device"
	idDevice      = "Device"
	idEmail       = "Email"
	idMobile      = "Mobile"
	idNonPeople   = "Non_people"
	idPartner     = "Partner"
	idPhone       = "Phone"
	idAccount     = "B2B_ACCOUNT"
)

// IDTypes lists the types that a namespace may have.
var IDTypes = []string{idCookie, idCrossDevice, idDevice, idEmail, idMobile, idNonPeople, idPartner, idPhone,
	idAccount, "B2B_ACCOUNT_PERSON", "B2B_OPPORTUNITY", "B2B_OPPORTUNITY_PERSON", "B2B_CAMPAIGN", "B2B_CAMPAIGN_MEMBER", "B2B_MARKETING_LIST", "B2B_MARKETING_LIST_MEMBER"}

// accountIDTypes are the types of namespaces that may identify accounts.
var accountIDTypes = []string{idAccount, idNonPeople}

// IdentifiesAccounts reports whether a namespace, standard or one of the given custom ones, may identify accounts.
func IdentifiesAccounts(code string, custom []Namespace) bool {
	return slices.ContainsFunc(AllNamespaces(custom), func(n Namespace) bool {
		return strings.EqualFold(n.Code, code) && slices.Contains(accountIDTypes, n.IDType)
	})
}

// standard lists the namespaces that every organization has. The numbers up to 411 and from 20914 are AEP's. AEP's
// documents give no numbers for the others, whose numbers are Roster's own.
var standard = []Namespace{
	{ID: 0, Code: "CORE", Name: "CORE", Description: "Audience Manager UUID", IDType: idCookie},
	{ID: 4, Code: "ECID", Name: "ECID", Description: "Experience Cloud ID", IDType: idCookie},
	{ID: 6, Code: "Email", Name: "Email", Description: "E-mail address; compared trimmed, without invisible characters, and in lower case", IDType: idEmail},
	{ID: 7, Code: "Phone", Name: "Phone", Description: "Phone number", IDType: idPhone},
	{ID: 8, Code: "WAID", Name: "Windows AID", Description: "Windows advertising ID", IDType: idDevice},
	{ID: 9, Code: "TNTID", Name: "TNTID", Description: "Target ID", IDType: idCookie},
	{ID: 10, Code: "AAID", Name: "Adobe Analytics (Legacy ID)", Description: "Adobe Analytics visitor ID", IDType: idCookie},
	{ID: 411, Code: "AdCloud", Name: "AdCloud", Description: "Advertising Cloud ID", IDType: idCookie},
	{ID: 9001, Code: "Email_LC_SHA256", Name: "Emails (SHA256, lowercased)", Description: "SHA-256 of the trimmed, lower-case e-mail address", IDType: idEmail},
	{ID: 9002, Code: "Phone_E164", Name: "Phone (E.164)", Description: "Phone number in E.164 format", IDType: idPhone},
	{ID: 9003, Code: "Phone_SHA256", Name: "Phone (SHA256)", Description: "SHA-256 of the phone number", IDType: idPhone},
	{ID: 9004, Code: "Phone_SHA256_E.164", Name: "Phone (SHA256_E.164)", Description: "SHA-256 of the phone number in E.164 format", IDType: idPhone},
	{ID: 9005, Code: "APNS", Name: "Apple Push Notification service", Description: "Device token of Apple Push Notification service", IDType: idDevice},
	{ID: 9006, Code: "FCM", Name: "Firebase Cloud Messaging", Description: "Registration token of Firebase Cloud Messaging", IDType: idDevice},
	{ID: 20914, Code: "GAID", Name: "Google Ad ID (GAID)", Description: "Google advertising ID", IDType: idDevice},
	{ID: 20915, Code: "IDFA", Name: "Apple IDFA (ID for Apple)", Description: "Apple ID for advertisers", IDType: idDevice},
}

// AllNamespaces returns the namespaces of an organization, given its custom ones: the standard ones come first. A
// custom one replaces a standard one that was added later with the same code.
func AllNamespaces(custom []Namespace) []Namespace {
	own := func(n Namespace) bool {
		return slices.ContainsFunc(custom, func(c Namespace) bool { return strings.EqualFold(c.Code, n.Code) })
	}
	return append(slices.DeleteFunc(slices.Clone(standard), own), custom...)
}

// suggestive are names of columns, reduced to letters and digits, that suggest a namespace.
var suggestive = map[string]string{
	"email": "Email", "mail": "Email", "emailaddress": "Email", "emailaddr": "Email", "useremail": "Email", "customeremail": "Email",
	"emailsha256": "Email_LC_SHA256", "emaillcsha256": "Email_LC_SHA256", "sha256email": "Email_LC_SHA256", "hashedemail": "Email_LC_SHA256", "emailhash": "Email_LC_SHA256",
	"phone": "Phone", "phonenumber": "Phone", "mobile": "Phone", "mobilephone": "Phone", "mobilenumber": "Phone", "msisdn": "Phone", "telephone": "Phone",
	"phonee164": "Phone_E164", "phonesha256": "Phone_SHA256",
	"ecid": "ECID", "mcid": "ECID", "idfa": "IDFA", "waid": "WAID", "gaid": "GAID", "aaid": "GAID", "tntid": "TNTID",
}

// ProposeNamespace returns the namespace of the identities that a column with that name probably contains, "" if the
// name suggests none.
func ProposeNamespace(column string) string { return suggestive[bareName(column)] }

// bareName returns a column's name reduced to lower-case letters and digits.
func bareName(column string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, column)
}

// Resolve returns the canonical form of a namespace code among the standard and the given custom namespaces, ignoring
// case. If there is none it returns the nearest known codes, best first.
func Resolve(code string, custom []Namespace) (canonical string, ok bool, nearest []string) {
	for _, known := range [][]Namespace{custom, standard} { // custom ones take precedence, as in AllNamespaces
		for _, n := range known {
			if strings.EqualFold(n.Code, code) {
				return n.Code, true, nil
			}
		}
	}
	var codes []string
	for _, n := range slices.Concat(standard, custom) {
		codes = append(codes, n.Code)
	}
	return "", false, Nearest(code, codes)
}

// Limits of the search for the nearest names: a text longer than a code is near to none.
const (
	maxCodeLength = 255
	nearestCount  = 3
)

// Nearest returns the known names that are most similar to a name, ignoring case: at most three, best first.
func Nearest(name string, known []string) []string {
	if len(name) > maxCodeLength {
		return nil
	}
	type candidate struct {
		name     string
		distance int
	}
	var all []candidate
	for _, n := range known {
		all = append(all, candidate{n, EditDistance(strings.ToLower(name), strings.ToLower(n))})
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	nearest := make([]string, 0, nearestCount)
	for _, c := range all[:min(len(all), nearestCount)] {
		nearest = append(nearest, c.name)
	}
	return nearest
}

// EditDistance returns the number of bytes to insert, delete or replace to turn a into b.
func EditDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// ValidateNamespace checks a custom namespace and puts its type into the canonical spelling. It does not check whether
// the code is in use.
func ValidateNamespace(n *Namespace) error {
	var p Problems
	p.Text("name", n.Name)
	p.OptionalText("description", n.Description)
	switch {
	case n.Code == "":
		p.Add("code", "is required")
	case len(n.Code) > maxCodeLength:
		p.Add("code", "has %d characters; at most %d are allowed", len(n.Code), maxCodeLength)
	case strings.IndexFunc(n.Code, notInCode) >= 0:
		p.Add("code", "may hold only the letters A to Z and a to z, digits and underscores")
	}
	if t, ok := idType(n.IDType); ok {
		n.IDType = t
	} else if n.IDType == "" {
		p.Add("idType", "is required: one of %s", strings.Join(IDTypes, ", "))
	} else {
		p.Add("idType", "%.64q is not one of %s", n.IDType, strings.Join(IDTypes, ", "))
	}
	return p.Err()
}

func notInCode(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_')
}

// idType returns a type from its spelling in AEP's API (CROSS_DEVICE, Cross_device) or its console (Cross-Device).
func idType(name string) (string, bool) {
	name = strings.NewReplacer("-", "_", " ", "_").Replace(name)
	for _, t := range IDTypes {
		if strings.EqualFold(t, name) {
			return t, true
		}
	}
	return "", false
}
