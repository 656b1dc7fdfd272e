package formats

import (
	"fmt"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Merge is what several files of one audience propose together. The zero value is of no file.
type Merge struct {
	// Fields are those of all files, in the order in which the files have them first. Identities have the namespace that
	// their name suggests. A column with different types in the files is a string.
	Fields []audience.Field

	places    map[string]int // of Fields, by the keys of their names
	format    audience.Format
	proposals int
	utf8      string // the first file that is UTF-8 beyond doubt
	conflicts []string
}

// AddColumns adds the columns of a file to Fields.
func (m *Merge) AddColumns(columns []tabular.Column) {
	if m.places == nil {
		m.places = map[string]int{}
	}
	for _, c := range columns {
		f := c.Field()
		if f.IdentityNs = audience.ProposeNamespace(c.Name); f.IdentityNs != "" {
			f.Type, f.Proposed = audience.String, false // an id of digits keeps its leading zeros
		}
		f.ProposeRole()
		key := audience.NameKey(c.Name)
		i, known := m.places[key]
		if !known {
			m.places[key] = len(m.Fields)
			m.Fields = append(m.Fields, f)
		} else if was := &m.Fields[i]; was.Type != f.Type {
			was.Type, was.Proposed = audience.String, false
			if was.Role == audience.RoleDelete { // which a text cannot have
				was.Role = audience.RoleNone
			}
		}
	}
}

// AddProposal adds the options that a file needs.
func (m *Merge) AddProposal(path string, p tabular.Proposal) {
	if m.proposals++; m.proposals > 1 && p.Format.SkipLines != m.format.SkipLines {
		m.format.SkipLines, p.Format.SkipLines = 0, 0
	}
	if p.UTF8 && m.utf8 == "" {
		m.utf8 = path
	}
	if mine := p.Format.Encoding; mine != "" && m.format.Encoding != "" && mine != m.format.Encoding {
		m.conflicts = append(m.conflicts, fmt.Sprintf("the files are in several encodings, such as %s, which looks like %s, while others look like %s; convert them to one, or make an audience of each",
			path, mine, m.format.Encoding))
	}
	m.format = m.format.With(p.Format)
}

// Format returns the options to add for all files: an encoding and lines to skip are among them only if they suit each
// file. conflicts says which encodings do not go together.
func (m *Merge) Format() (proposed audience.Format, conflicts []string) {
	proposed, conflicts = m.format, m.conflicts
	if proposed.Encoding != "" && m.utf8 != "" {
		conflicts = append(conflicts, fmt.Sprintf("some files look like %s, but %s is UTF-8; convert them to one encoding, or make an audience of each", proposed.Encoding, m.utf8))
		proposed.Encoding = ""
	}
	return proposed, conflicts
}
