package audience

import (
	"slices"
	"strings"
)

// EveryLabel returns the labels of the audience and of its fields, sorted and without duplicates.
func (a *Audience) EveryLabel() []string {
	all := slices.Clone(a.Labels)
	for _, f := range a.Fields {
		all = append(all, f.Labels...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// SeenBy returns the audience as a caller with these grants sees it: without the fields that have other labels. Labels
// decides whether the caller sees the audience at all.
func (a Audience) SeenBy(g Grants) Audience {
	if i := a.PrimaryIdentity(); i >= 0 {
		a.PrimaryHidden = !g.Covers(a.Fields[i].Labels)
	}
	a.Fields = a.Hidden(g).Fields(a.Fields)
	return a
}

// Hidden returns the names of the fields that a caller with these grants does not see.
func (a *Audience) Hidden(g Grants) (names Hidden) {
	for _, f := range a.Fields {
		if !g.Covers(f.Labels) {
			names = append(names, NameKey(f.Name))
		}
	}
	return names
}

// FoundBy reports whether a caller with these grants may find members by identities of the namespace, given by its
// canonical code. That requires a visible field with such identities. Otherwise callers could guess values of a field
// that they must not see.
func (a *Audience) FoundBy(g Grants, namespace string) bool {
	if g.All() {
		return true
	}
	for i := range a.Fields {
		if f := &a.Fields[i]; f.IdentityNs == namespace && g.Covers(f.Labels) {
			return true
		}
	}
	return false
}

// Hidden are the normalized names of fields that a caller must not see. Its methods remove these fields from
// descriptions of runs.
type Hidden []string

// unseen replaces a text that names a hidden field.
const unseen = "this is about a field that has labels which the API client does not hold"

// has reports whether the name is hidden.
func (h Hidden) has(name string) bool { return slices.Contains(h, NameKey(name)) }

// text returns a text, or unseen if it may name a hidden field.
func (h Hidden) text(s string) string {
	key := NameKey(s)
	if slices.ContainsFunc(h, func(name string) bool { return strings.Contains(key, name) }) {
		return unseen
	}
	return s
}

// Fields returns the fields that are not hidden.
func (h Hidden) Fields(fields []Field) []Field {
	if len(h) == 0 {
		return fields
	}
	return slices.DeleteFunc(slices.Clone(fields), func(f Field) bool { return h.has(f.Name) })
}

// Rejected returns a rejected row without information about hidden fields. Its raw text contains all fields.
func (h Hidden) Rejected(r RejectedRow) RejectedRow {
	if len(h) == 0 {
		return r
	}
	r.Raw = nil
	r.Column, r.Reason = h.place(r.Column, r.Reason)
	return r
}

// place returns a column and the reason of a problem in it.
func (h Hidden) place(column, reason string) (string, string) {
	if column != "" && h.has(column) {
		return "", unseen
	}
	return column, h.text(reason)
}

// Run returns a run without information about hidden fields.
func (h Hidden) Run(r Run) Run {
	if len(h) == 0 {
		return r
	}
	r.Error = h.Failure(r.Error)
	r.Stages = slices.Clone(r.Stages)
	for i := range r.Stages {
		r.Stages[i].Error = h.Failure(r.Stages[i].Error)
	}
	r.Result.Files = slices.Clone(r.Result.Files)
	for i, f := range r.Result.Files {
		r.Result.Files[i].MissingColumns = slices.DeleteFunc(slices.Clone(f.MissingColumns), h.has)
		r.Result.Files[i].Reason = h.text(f.Reason)
	}
	r.Result.Rejects = slices.Clone(r.Result.Rejects)
	for i := range r.Result.Rejects {
		rj := &r.Result.Rejects[i]
		rj.Column, rj.Reason = h.place(rj.Column, rj.Reason)
	}
	r.Result.Guards = slices.Clone(r.Result.Guards)
	for i := range r.Result.Guards {
		r.Result.Guards[i].Detail = h.text(r.Result.Guards[i].Detail)
	}
	return r
}

// Runs returns runs without information about hidden fields.
func (h Hidden) Runs(list []Run) []Run {
	for i := range list {
		list[i] = h.Run(list[i])
	}
	return list
}

// Failure returns an error without information about hidden fields.
func (h Hidden) Failure(e *Error) *Error {
	if e == nil {
		return nil
	}
	told := *e
	told.Message = h.text(e.Message)
	told.Problems = slices.Clone(e.Problems)
	for i, p := range told.Problems {
		told.Problems[i] = Problem{Path: h.text(p.Path), Message: h.text(p.Message)}
	}
	return &told
}
