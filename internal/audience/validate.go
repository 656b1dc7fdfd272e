package audience

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// maxFieldName is the longest name of a field, in bytes.
const maxFieldName = 1024

// reservedPrefix is the prefix of the names of the columns that the lake adds.
const reservedPrefix = "_roster_"

// CloudTypes lists the values of sourceSpec.cloudType; CloudLanding is the landing zone.
var CloudTypes = []string{"S3", CloudLanding, "GCS", "Azure", "SFTP"}

// CloudLanding is the cloudType of the landing zone, the only one that needs no connection.
const CloudLanding = "DLZ"

var customIDPattern = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

// Rules are parameters of Validate in addition to the contract.
type Rules struct {
	Namespaces []Namespace // the organization's own
	// AccountType is the audienceType of audiences of accounts; "" if the server has none of those (contract, section
	// 5).
	AccountType string
}

// Validate checks a submitted audience by the contract's section 2 and normalises it in place: it sets defaults, makes
// namespace codes canonical, and makes the path relative to the root of its store. Its error is an *Error with one
// Problem for each wrong field. TTLDays and ProfileIngestion have no value that means absent, so the decoder of a
// request sets their defaults.
func Validate(d *Audience, r Rules) error {
	var p Problems
	p.Text("name", d.Name)
	if d.CustomID != "" && (!customIDPattern.MatchString(d.CustomID) || len(d.CustomID) > MaxText) {
		p.Add("customAudienceId", "must begin with a letter, _ or $ and go on with letters, digits, _ or $, at most %d in all", MaxText)
	}
	p.OptionalText("description", d.Description)
	validateFields(&p, d.Fields, r.Namespaces)
	p.Source(&d.Source)
	p.Guards("guards", d.Guards)
	p.TTL(d.TTLDays)
	validateAudienceType(&p, d, r)
	switch d.OriginName {
	case OriginUpload:
	case "":
		p.Add("originName", "is required: %q", OriginUpload)
	default:
		p.Add("originName", "%.64q is not supported; only %q is", d.OriginName, OriginUpload)
	}
	if d.State != "" && d.State != StateDraft && d.State != StatePublished {
		p.Add("lifecycleState", "%.64q is not a state of a new audience; use %s or %s", d.State, StateDraft, StatePublished)
	}
	d.Namespace = cmp.Or(d.Namespace, DefaultNamespace)
	p.Text("namespace", d.Namespace)
	p.Labels("labels", d.Labels)
	p.Tags("tags", d.Tags)
	if err := p.Err(); err != nil {
		return err
	}
	if d.ExpressActivation && d.SupplementalIdentity() < 0 {
		e := Errorf(Impossible, "expressActivation needs two identity fields and there is one: the second is the supplemental identity, which tells the rows of "+
			"one person apart; give another field an identityNs, or leave expressActivation out")
		e.Problems = []Problem{{Path: "expressActivation", Message: "needs a second identity field"}}
		return e
	}
	return nil
}

// validateAudienceType checks the kind of members. The members of an audience of accounts are accounts, so its primary
// identity must identify accounts.
func validateAudienceType(p *Problems, d *Audience, r Rules) {
	switch d.AudienceType = cmp.Or(d.AudienceType, TypePeople); {
	case d.AudienceType == TypePeople:
	case r.AccountType == "":
		p.Add("audienceType", "%.64q is not supported; only %q is, and the type of audiences of accounts that the server's setting --account-audience-type names, which is not set",
			d.AudienceType, TypePeople)
	case d.AudienceType != r.AccountType:
		p.Add("audienceType", "%.64q is not supported; %q is, and %q for accounts", d.AudienceType, TypePeople, r.AccountType)
	default:
		i := d.PrimaryIdentity()
		if i < 0 {
			return // which the check of the fields reports
		}
		if _, known, _ := Resolve(d.Fields[i].IdentityNs, r.Namespaces); known && !IdentifiesAccounts(d.Fields[i].IdentityNs, r.Namespaces) {
			p.Add(fmt.Sprintf("fields[%d].identityNs", i), "%s is no namespace of accounts, and the first identity of an audience of accounts must be an account's: "+
				"give it a namespace with the idType %s (POST /data/core/idnamespace/identities)", d.Fields[i].IdentityNs, strings.Join(accountIDTypes, " or "))
		}
	}
}

// FieldNamed returns the index of the field with that name, ignoring case and surrounding white space; -1 if there is
// none.
func (a *Audience) FieldNamed(name string) int {
	key := NameKey(name)
	return slices.IndexFunc(a.Fields, func(f Field) bool { return NameKey(f.Name) == key })
}

// FieldIndex returns the index of each field by its NameKey, for look-ups of many names.
func (a *Audience) FieldIndex() map[string]int {
	index := make(map[string]int, len(a.Fields))
	for i, f := range a.Fields {
		index[NameKey(f.Name)] = i
	}
	return index
}

// NameKey is equal for names that a file's header cannot distinguish: a header is read ignoring case and white space
// around a name. Each rune stands for all runes that differ from it only in case.
func NameKey(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, strings.TrimSpace(name))
}

// SameName reports whether two names have the same NameKey.
func SameName(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

func validateFields(p *Problems, fields []Field, custom []Namespace) {
	switch n := len(fields); {
	case n == 0:
		p.Add("fields", "is required: 1 to %d fields, at least one of them with identityNs", MaxFields)
		return
	case n > MaxFields:
		p.Add("fields", "has %d fields; at most %d are allowed", n, MaxFields)
		return
	}
	seen := make(map[string]int, len(fields))
	identities := 0
	for i := range fields {
		path := fmt.Sprintf("fields[%d]", i)
		validateFieldName(p, path+".name", fields[i].Name, seen, i)
		validateField(p, path, &fields[i], custom)
		if fields[i].IdentityNs != "" {
			identities++
		}
	}
	if identities == 0 {
		p.Add("fields", "no field is an identity; give at least one an identityNs, such as \"Email\"")
	}
}

func validateFieldName(p *Problems, path, name string, seen map[string]int, i int) {
	key := NameKey(name)
	first, taken := seen[key]
	switch reason := wrongName(name); {
	case reason != "":
		p.Add(path, "%s", reason)
	case taken:
		p.Add(path, "is also the name of fields[%d]; names differ by more than case and the white space around them", first)
	default:
		seen[key] = i
	}
}

// CanNameField reports whether a name is valid for a field, if no other field has it.
func CanNameField(name string) bool { return wrongName(name) == "" }

// wrongName returns the reason why a name is not valid for a field, "" if it is valid.
func wrongName(name string) string {
	switch key := NameKey(name); {
	case key == "":
		return "is required"
	case len(name) > maxFieldName:
		return fmt.Sprintf("is longer than %d bytes", maxFieldName)
	case strings.IndexFunc(name, breaksLine) >= 0:
		return "must not hold a line break or a NUL character"
	case strings.HasPrefix(strings.ToLower(key), reservedPrefix):
		return "must not begin with " + reservedPrefix + ", which is reserved"
	}
	return ""
}

func validateField(p *Problems, path string, f *Field, custom []Namespace) {
	switch {
	case f.Type == "":
		p.Add(path+".type", "is required: one of %s", joinTypes())
	case !slices.Contains(Types, f.Type):
		p.Add(path+".type", "%.64q is not one of %s", f.Type, joinTypes())
	}
	f.Proposed = f.Proposed && f.Type != String // a string keeps every value
	if f.IdentityNs != "" {
		canonical, ok, nearest := Resolve(f.IdentityNs, custom)
		if ok {
			f.IdentityNs = canonical
		} else {
			p.Add(path+".identityNs", "%s", UnknownNamespace(f.IdentityNs, nearest))
		}
	}
	p.Labels(path+".labels", f.Labels)
	validateRole(p, path, f)
}

func validateRole(p *Problems, path string, f *Field) {
	switch f.Role {
	case RoleNone, RoleDelete:
		if len(f.ConsentValues) > 0 {
			p.Add(path+".consentValues", "goes with the role %q only", RoleConsent)
		}
	case RoleConsent:
		if len(f.ConsentValues) == 0 {
			p.Add(path+".consentValues", "is required with the role %q: the values that mean consent", RoleConsent)
		}
		if !p.few(path+".consentValues", f.ConsentValues) {
			return
		}
		for i, v := range f.ConsentValues {
			p.OptionalText(fmt.Sprintf("%s.consentValues[%d]", path, i), v)
		}
	default:
		p.Add(path+".role", "%.64q is not one of %s, %s", f.Role, RoleDelete, RoleConsent)
	}
}

// UnknownNamespace is the message about a namespace code that Resolve did not find.
func UnknownNamespace(code string, nearest []string) string {
	near := ""
	if len(nearest) > 0 {
		near = "; the nearest known ones are " + strings.Join(nearest, ", ")
	}
	return fmt.Sprintf("unknown identity namespace %.64q%s (custom ones are created by POST /data/core/idnamespace/identities)", code, near)
}

// Source checks the location of an audience's files, and sets properties that follow from others.
func (p *Problems) Source(s *SourceSpec) {
	validatePath(p, s)
	if s.Format != nil {
		validateFormat(p, "sourceSpec.format", s.Format)
	}
	if e := s.Encryption; e != nil && e.PublicKeyID == "" {
		p.Add("sourceSpec.encryption.publicKeyId", "is required: the id of a key that POST /data/foundation/connectors/encryption/keys has made")
	}
	switch s.Type {
	case PathFile, PathFolder:
	case "":
		p.Add("sourceSpec.type", "is required: %s or %s", PathFile, PathFolder)
	default:
		p.Add("sourceSpec.type", "%.64q is not one of %s, %s", s.Type, PathFile, PathFolder)
	}
	if s.SourceType = cmp.Or(s.SourceType, SourceTypeCloud); s.SourceType != SourceTypeCloud {
		p.Add("sourceSpec.sourceType", "%.64q is not supported; only %q is", s.SourceType, SourceTypeCloud)
	}
	if s.CloudType != "" && !slices.Contains(CloudTypes, s.CloudType) {
		p.Add("sourceSpec.cloudType", "%.64q is not one of %s", s.CloudType, strings.Join(CloudTypes, ", "))
		return
	}
	s.BaseConnectionID = ConnectionID(strings.ToLower(string(s.BaseConnectionID)))
	if s.BaseConnectionID == "" && s.CloudType != CloudLanding {
		p.Add("sourceSpec.baseConnectionId", "is required unless cloudType is %q, the landing zone", CloudLanding)
	}
}

func validatePath(p *Problems, s *SourceSpec) {
	field := "sourceSpec.path"
	path := RelativePath(s.Path)
	if s.Type == PathFolder {
		path = strings.TrimSuffix(path, "/")
	}
	if s.CloudType == CloudLanding {
		path = LandingPath(path)
	}
	switch {
	case path == "" && s.Type == PathFolder: // the root
		s.Path = ""
		return
	case path == "":
		p.Add(field, "is required: the path of a file; the root, / or an empty path, goes with type %s", PathFolder)
		return
	}
	if problem := CheckPath(path); problem != "" {
		p.Add(field, "%s", problem)
		return
	}
	s.Path = path
}

func joinTypes() string {
	names := make([]string, len(Types))
	for i, t := range Types {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}

// breaksLine reports the runes that end a line somewhere, and NUL, which PostgreSQL cannot store.
func breaksLine(r rune) bool {
	switch r {
	case 0, '\n', '\v', '\f', '\r', 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}
