package api

import (
	"roster/internal/control"
)

// appendValues appends the values of memberships in the form of client.Entity, and a comma; nothing if there are none.
// The memberships must be in the order of their namespaces and audiences.
func appendValues(dst []byte, list []control.Membership) []byte {
	begun := len(dst)
	dst = append(dst, `"audienceEnrichment":{`...)
	none := len(dst)
	namespace := -1 // index of the membership whose namespace is open
	for i, m := range list {
		if m.Values == nil || i+1 < len(list) && list[i+1].Namespace == m.Namespace && list[i+1].Audience == m.Audience {
			continue
		}
		switch {
		case namespace >= 0 && list[namespace].Namespace == m.Namespace:
			dst = append(dst, ',')
		case namespace >= 0:
			dst = append(dst, `},`...)
			fallthrough
		default:
			dst, namespace = append(appendJSON(dst, m.Namespace), `:{`...), i
		}
		dst = appendRows(append(appendJSON(dst, string(m.Audience)), ':'), m.Values)
	}
	if len(dst) == none {
		return dst[:begun]
	}
	return append(dst, `}},`...)
}

// appendRows appends the values of the row as an object; as an array of objects if there may be several rows.
func appendRows(dst []byte, v *control.Values) []byte {
	if !v.List {
		return appendRow(dst, v, v.Rows[0])
	}
	for i, row := range v.Rows {
		between := byte(',')
		if i == 0 {
			between = '['
		}
		dst = appendRow(append(dst, between), v, row)
	}
	return append(dst, ']')
}

// appendRow appends the values of a row as an object.
func appendRow(dst []byte, v *control.Values, row int) []byte {
	e := memberEncoder{}
	for i, f := range v.Fields {
		between := byte(',')
		if i == 0 {
			between = '{'
		}
		dst = append(appendJSON(append(dst, between), f.Name), ':')
		if c := &v.Columns[i]; c.Null(row) {
			dst = append(dst, "null"...)
		} else {
			dst = e.appender(c)(dst, row)
		}
	}
	return append(dst, '}')
}
