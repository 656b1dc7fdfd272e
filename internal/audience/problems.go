package audience

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is the longest name, label or tag, in characters.
const MaxText = 255

// Problems collects the problems of a request, one entry for each wrong field. The zero value is empty.
type Problems []Problem

// maxProblems is the largest number of problems that are kept; a client can correct the first ones and try again.
const maxProblems = 100

// Add records a problem with the field at path, unless there are already maxProblems.
func (p *Problems) Add(path, format string, args ...any) {
	if len(*p) == maxProblems {
		return
	}
	*p = append(*p, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Text checks a required text on one line, such as a name.
func (p *Problems) Text(path, s string) {
	switch n := utf8.RuneCountInString(s); {
	case strings.TrimSpace(s) == "":
		p.Add(path, "is required")
	case n > MaxText:
		p.Add(path, "has %d characters; at most %d are allowed", n, MaxText)
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		p.Add(path, "must not hold control characters")
	}
}

// OptionalText checks an optional text that every store can keep.
func (p *Problems) OptionalText(path, s string) {
	switch {
	case strings.ContainsRune(s, 0):
		p.Add(path, "must not hold a NUL character")
	case !utf8.ValidString(s):
		p.Add(path, "is not UTF-8")
	}
}

// TTL checks a ttlInDays.
func (p *Problems) TTL(days int) {
	if days < MinTTLDays || days > MaxTTLDays {
		p.Add("ttlInDays", "must be from %d to %d", MinTTLDays, MaxTTLDays)
	}
}

// maxEntries is the largest length of the lists of texts in a request: labels, tags and the values of a consent.
const maxEntries = 1000

// few reports whether a list of texts is short enough, and records a problem if not.
func (p *Problems) few(path string, list []string) bool {
	if len(list) > maxEntries {
		p.Add(path, "has %d entries; at most %d are allowed", len(list), maxEntries)
		return false
	}
	return true
}

// Labels checks the labels at path.
func (p *Problems) Labels(path string, labels []string) {
	if !p.few(path, labels) {
		return
	}
	for i, l := range labels {
		if !validLabel(l) {
			p.Add(fmt.Sprintf("%s[%d]", path, i), "%s", labelForm)
		}
	}
}

// Tags checks the tags at path.
func (p *Problems) Tags(path string, tags []string) {
	if !p.few(path, tags) {
		return
	}
	for i, tag := range tags {
		p.Text(fmt.Sprintf("%s[%d]", path, i), tag)
	}
}

// State checks a life cycle state that a client sets.
func (p *Problems) State(path string, s State) {
	if !slices.Contains(States, s) {
		p.Add(path, "%.64q is not one of %s, %s, %s; DELETE deletes an audience", s, StateDraft, StatePublished, StateInactive)
	}
}

// shownProblems is the number of problems in an error's message; its Problems contain all.
const shownProblems = 5

// Err returns the problems as one *Error of the code Invalid, nil when there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Code: Invalid, Message: p.text(), Problems: p}
}

// text is the message of Err.
func (p Problems) text() string {
	texts := make([]string, 0, shownProblems+1)
	for i, one := range p {
		if i == shownProblems {
			more := fmt.Sprintf("and %d more", len(p)-i)
			if len(p) == maxProblems {
				more += " at least"
			}
			texts = append(texts, more)
			break
		}
		texts = append(texts, one.Path+": "+one.Message)
	}
	return strings.Join(texts, "; ")
}
