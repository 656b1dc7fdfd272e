package api

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"roster/internal/audience"
)

// A filter of a list consists of a name, a comparator and a value. Lists of the flow service are filtered by the
// properties of their entries in the answer (contract, section 5). A name with dots names a nested property.

// maxFilterReads limits how often a page reads on when few entries match. So a page may have fewer entries than its
// limit, even none, although another page follows.
const maxFilterReads = 10

// condition is one filter of a list.
type condition struct {
	path       []string
	comparator audience.Comparator
	value      string
}

// conditions are filters that must all match.
type conditions []condition

// cutFilter splits a filter of a list into a name, one of the comparators and a value. Comparators that begin with
// another comparator must come before it in the list. A name that contains characters of comparators is in quotation
// marks, with quotation marks inside doubled.
func cutFilter(text string, comparators []audience.Comparator) (name string, comparator audience.Comparator, value string, ok bool) {
	rest, quoted := strings.CutPrefix(text, `"`)
	if !quoted {
		end := max(strings.IndexAny(text, "=!<>"), 0)
		name, rest = strings.TrimSpace(text[:end]), text[end:]
	}
	for quoted {
		part, after, closed := strings.Cut(rest, `"`)
		if !closed {
			return "", "", "", false
		}
		name += part
		if rest, quoted = strings.CutPrefix(after, `"`); quoted {
			name += `"`
		}
	}
	rest = strings.TrimLeft(rest, " ")
	for _, c := range comparators {
		if value, ok = strings.CutPrefix(rest, string(c)); ok {
			return name, c, value, name != ""
		}
	}
	return "", "", "", false
}

// unquoted returns a value without surrounding quotation marks.
func unquoted(value string) (_ string, quoted bool) {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value, false
	}
	return value[1 : len(value)-1], true
}

// cutCondition splits a filter of the flow service. Its value may be in quotation marks.
func cutCondition(text string) (name string, comparator audience.Comparator, value string, ok bool) {
	name, comparator, value, ok = cutFilter(text, audience.Orders)
	if !ok || value == "" {
		return "", "", "", false
	}
	if inside, quoted := unquoted(value); quoted && inside != "" {
		value = inside
	}
	return name, comparator, value, true
}

// condition reads a filter of a list whose entries have the given type.
func (q *query) condition(text string, entry reflect.Type) conditions {
	name, comparator, value, ok := cutCondition(text)
	if !ok {
		q.problems.Add("property", "%.100q must be a property, one of == != >= <= > < and a value", text)
		return nil
	}
	c := condition{strings.Split(strings.ReplaceAll(name, "[]", ""), "."), comparator, value}
	switch kind, known := leaf(entry, c.path); {
	case !known:
		q.problems.Add("property", "%.100q is not a property of these entries; the properties are %s", name, strings.Join(leaves(entry, ""), ", "))
	case kind == reflect.Int64 || kind == reflect.Int:
		if _, err := wholeNumber(value); err != nil {
			q.problems.Add("property", "%.100q must have a number as its value; times are in milliseconds", text)
		}
	case comparator != audience.Equal && comparator != audience.NotEqual:
		q.problems.Add("property", "%.100q compares a property that is not a number; use == or !=", text)
	case kind == reflect.Bool && value != "true" && value != "false":
		q.problems.Add("property", "%.100q must have true or false as its value", text)
	}
	return conditions{c}
}

// leaf returns the kind of the property at a path.
func leaf(t reflect.Type, path []string) (reflect.Kind, bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if len(path) == 0 {
		return t.Kind(), t.Kind() != reflect.Struct && t.Kind() != reflect.Map
	}
	switch t.Kind() {
	case reflect.Map:
		return reflect.String, len(path) == 1
	case reflect.Struct:
		for _, p := range propertiesOf(t) {
			if p.name == path[0] {
				return leaf(t.FieldByIndex(p.index).Type, path[1:])
			}
		}
	}
	return 0, false
}

// leaves lists the properties of a type that filters can name.
func leaves(t reflect.Type, at string) (names []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			at += "[]"
		}
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		for _, p := range propertiesOf(t) {
			names = append(names, leaves(t.FieldByIndex(p.index).Type, join(at, p.name))...)
		}
		return names
	case reflect.Map:
		return []string{at + ".…"}
	}
	return []string{at}
}

// hold reports whether an entry matches all conditions.
func (list conditions) hold(entry any) bool {
	return !slices.ContainsFunc(list, func(c condition) bool {
		values := reach(reflect.ValueOf(entry), c.path)
		if c.comparator.Negates() { // an absent value differs from everything
			return slices.ContainsFunc(values, func(v reflect.Value) bool { return c.compare(v) == 0 })
		}
		return !slices.ContainsFunc(values, func(v reflect.Value) bool { return c.comparator.Holds(c.compare(v)) })
	})
}

// reach returns the values at a path: several behind a list, none if something is absent.
func reach(v reflect.Value, path []string) (values []reflect.Value) {
	if raw, is := v.Interface().(json.RawMessage); is {
		return []reflect.Value{reflect.ValueOf(strings.Trim(string(raw), `"`))}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return reach(v.Elem(), path)
	case reflect.Slice:
		for i := range v.Len() {
			values = append(values, reach(v.Index(i), path)...)
		}
		return values
	}
	if len(path) == 0 {
		return []reflect.Value{v}
	}
	switch v.Kind() {
	case reflect.Map:
		if of := v.MapIndex(reflect.ValueOf(path[0])); of.IsValid() {
			return reach(of, path[1:])
		}
	case reflect.Struct:
		for _, p := range propertiesOf(v.Type()) {
			if field := v.FieldByIndex(p.index); p.name == path[0] && !(p.optional && field.IsZero()) {
				return reach(field, path[1:])
			}
		}
	}
	return nil
}

// compare compares a value with that of the condition, like cmp.Compare. Texts are equal or not.
func (c *condition) compare(v reflect.Value) int {
	if v.CanInt() {
		want, _ := wholeNumber(c.value) // already validated
		return cmp.Compare(v.Int(), want)
	}
	if v.Kind() == reflect.Bool {
		return strings.Compare(strconv.FormatBool(v.Bool()), c.value)
	}
	return strings.Compare(v.String(), c.value)
}
