package e2e

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"sort"
	"testing"
	"time"
)

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// is requires the body of the response to be the JSON text want, key for key. In want the strings "<uuid>", "<epoch>"
// (now, in seconds) and "<any>" are placeholders for unpredictable values. A key that ends in "?" may be absent.
func (a answer) is(status int, want string) map[string]any {
	a.t.Helper()
	got := a.ok(status)
	sameJSON(a.t, a.call, got, want)
	return got
}

func sameJSON(t *testing.T, what string, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("the wanted JSON of %s: %v", what, err)
	}
	for _, d := range diff("", normal(got), w) {
		t.Errorf("%s: %s", what, d)
	}
}

// normal converts a value to the types of decoded JSON.
func normal(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var n any
	if err := json.Unmarshal(data, &n); err != nil {
		panic(err)
	}
	return n
}

func diff(path string, got, want any) []string {
	if s, ok := want.(string); ok {
		if problem, placeholder := fits(s, got); placeholder {
			if problem == "" {
				return nil
			}
			return []string{fmt.Sprintf("%s: %v %s", path, got, problem)}
		}
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: got %v, want an object", path, got)}
		}
		return diffObjects(path, g, w)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s: got %v, want %d entries", path, got, len(w))}
		}
		var all []string
		for i := range w {
			all = append(all, diff(fmt.Sprintf("%s[%d]", path, i), g[i], w[i])...)
		}
		return all
	}
	if !reflect.DeepEqual(got, want) {
		return []string{fmt.Sprintf("%s: got %#v, want %#v", path, got, want)}
	}
	return nil
}

func diffObjects(path string, got, want map[string]any) []string {
	var all []string
	known := map[string]bool{}
	for key, w := range want {
		name, optional := key, false
		if key[len(key)-1] == '?' {
			name, optional = key[:len(key)-1], true
		}
		known[name] = true
		g, ok := got[name]
		switch {
		case ok:
			all = append(all, diff(path+"."+name, g, w)...)
		case !optional:
			all = append(all, fmt.Sprintf("%s.%s is missing", path, name))
		}
	}
	for name, g := range got {
		if !known[name] {
			all = append(all, fmt.Sprintf("%s.%s is there, with %v", path, name, g))
		}
	}
	sort.Strings(all)
	return all
}

// fits checks a value against a placeholder.
func fits(placeholder string, got any) (problem string, isPlaceholder bool) {
	switch placeholder {
	case "<any>":
		return "", true
	case "<uuid>":
		if s, ok := got.(string); ok && uuidForm.MatchString(s) {
			return "", true
		}
		return "is not a UUID", true
	case "<epoch>":
		if n, ok := got.(float64); ok && n == float64(int64(n)) && time.Since(time.Unix(int64(n), 0)).Abs() < 24*time.Hour {
			return "", true
		}
		return "is not a present time in epoch seconds", true
	}
	return "", false
}
