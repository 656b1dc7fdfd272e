package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"encryption":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct{ body, want string }{
		{`{"name": "a", "ttlInDays": 40}`, ""},
		{`{"name": "a", "ttlInDays": "40"}`, ""},
		{`{"name": "a", "ttlInDays": " 40 "}`, ""},
		{`{"name": "a", "ttlInDays": 4e1}`, ""},
		{`{"name": "a", "ttlInDays": 40.0}`, ""},
		{" \n{}\t", ""},
		{`{"encryption": null}`, ""},
		{`{"name": 1}`, "name: must be a string, not a number"},
		{`{"name": null}`, ""},
		{`{"labels": [null]}`, "labels[0]: must be a string, not null"},
		{`{"name": true}`, "name: must be a string, not a boolean"},
		{`{"ttlInDays": "x"}`, "ttlInDays: must be a whole number"},
		{`{"ttlInDays": ""}`, "ttlInDays: must be a whole number"},
		{`{"ttlInDays": "4e1"}`, "ttlInDays: must be a whole number"},
		{`{"ttlInDays": 40.5}`, "ttlInDays: must be a whole number"},
		{`{"ttlInDays": 1e400}`, "ttlInDays: must be a whole number"},
		{`{"ttlInDays": 9223372036854775808}`, "ttlInDays: must be a whole number"},
		{`{"ttlInDays": [40]}`, "ttlInDays: must be a whole number, not an array"},
		{`{"ttlInDays": null, "fields": null, "sourceSpec": {"params": null}, "profileIngestion": null}`, ""},
		{`{"guards": {"maxRejectedPercent": null}, "encryption": null, "expressActivation": null}`, ""},
		{`{"nome": null}`, "nome: unknown property"},
		{`{"labels": "core/C1"}`, "labels: must be an array, not a string"},
		{`{"labels": ["core/C1", 2]}`, "labels[1]: must be a string, not a number"},
		{`{"fields": [{"name": "a", "kind": "b"}]}`, "fields[0].kind: unknown property; the known ones here are name, type, identityNs, labels, role, consentValues"},
		{`{"fields": [{"name": "a"}, []]}`, "fields[1]: must be an object, not an array"},
		{`{"Name": "a"}`, "Name: unknown property"},
		{`{"sourceSpec": {"params": {"path": 1, "type": 2}}}`, "sourceSpec.params.path: must be a string, not a number; sourceSpec.params.type: must be a string, not a number"},
		{`{"sourceSpec": {"SourceParams": {}}}`, "sourceSpec.SourceParams: unknown property"},
		{`{"profileIngestion": "true"}`, "profileIngestion: must be true or false, not a string"},
		{`{"name": "a", "name": "a"}`, "name: the property is given twice"},
		{`{"fields": [{"name": "a", "n\u0061me": "b"}]}`, "fields[0].name: the property is given twice"},
		{`{"encryption": {"a": 1, "a": 2}}`, "encryption.a: the property is given twice"},
		{`{"fields": [{}, {"labels": [{"": 1}, [{"a": 1, "a": 2}]]}]}`, "fields[1].labels[1][0].a: the property is given twice"},
		{`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"c":1}`, "c: the property is given twice"},
		{`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"i":1}`, "i: the property is given twice"},
		{deep, "the body is nested more than 32 deep"},
		{`{"` + strings.Repeat("k", 200) + `": 1}`, strings.Repeat("k", 100) + "…: unknown property"},
		{`[]`, "the body must be an object, not an array"},
		{`"name"`, "the body must be an object, not a string"},
		{`null`, "the body must be an object, not null"},
		{`{} {}`, "the body is not JSON: invalid character '{' after top-level value (line 1, byte 4)"},
		{"{\n\"name\": }", "the body is not JSON: invalid character '}' looking for beginning of value (line 2, byte 11)"},
		{`{"name": `, "the body is not JSON: unexpected end of JSON input"},
		{`{"name": "a",}`, "the body is not JSON"},
		{`{'name': "a"}`, "the body is not JSON"},
		{`{"name": NaN}`, "the body is not JSON"},
		{"{\"name\": \"\xff\"}", "the body is not JSON: it is not UTF-8"},
		{"\ufeff{}", "the body is not JSON"},
		{`{"name": "\ud83d\ude00 \\ud800 \\\\ud800"}`, ""},
		{`{"name": "\ud800"}`, `the body is not JSON: \ud800 is half of a character`},
		{`{"name": "\udc00\ud800"}`, `the body is not JSON: \udc00 is half of a character`},
		{`{"name": "\ud83dx\ude00"}`, `the body is not JSON: \ud83d is half of a character`},
		{`{"\\\uDBFF": 1}`, `the body is not JSON: \uDBFF is half of a character`},
	} {
		var in client.NewAudience
		err := decode([]byte(c.body), &in)
		switch {
		case err == nil && c.want != "":
			t.Errorf("%s: no error, want %q", c.body, c.want)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.body, err, c.want)
		case err != nil && audience.CodeOf(err) != audience.Invalid:
			t.Errorf("%s: code %s", c.body, audience.CodeOf(err))
		}
		if c.want == "" && strings.Contains(c.body, "40") && *in.TTLInDays != 40 {
			t.Errorf("%s: ttl %d", c.body, *in.TTLInDays)
		}
	}
}

// FuzzDecode checks that decoding has the same result as encoding/json, and that every refusal is an error of the
// client.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{validSubmit, `{}`, `{"ttlInDays": "40", "fields": [{"name": "a", "labels": []}]}`, `{"sourceSpec": {"params": {"path": "a"}}}`,
		`{"encryption": {"a": [1, null, "x"]}}`, `[{}]`, `{"name": "\ud800"}`, `{"a": {"a": {"a": 1}}}`, `{"ttlInDays": -0}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var strict, loose client.NewAudience
		if err := decode(body, &strict); err != nil {
			var e *audience.Error
			if !errors.As(err, &e) || e.Code != audience.Invalid || len(e.Problems) == 0 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q is no JSON but was taken", body)
		}
		if err := json.Unmarshal(body, &loose); err != nil {
			return // a numeric string
		}
		strict.Encryption, loose.Encryption = nil, nil
		strict.SourceSpec.Encryption, loose.SourceSpec.Encryption = nil, nil
		if strict.SourceSpec.Params != nil {
			strict.SourceSpec.Params.Encryption, loose.SourceSpec.Params.Encryption = nil, nil
		}
		if !reflect.DeepEqual(strict, loose) {
			t.Fatalf("%q is %#v, encoding/json has %#v", body, strict, loose)
		}
	})
}

// TestDecodeTimes rounds times down, also times that are texts, and no other numbers.
func TestDecodeTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1749324248": 1749324248, "1749324248.999": 1749324248, `"1749324248.5"`: 1749324248, "1749324248123.7": 1749324248123,
		"1.749324248e9": 1749324248, `" 7 "`: 7, "0.5": 0, "-0.5": -1} {
		var r client.RunRequest
		if err := decode([]byte(`{"dataFilterStartTime": `+text+`}`), &r); err != nil || *r.DataFilterStartTime != want {
			t.Errorf("%s: %+v, %v", text, r.DataFilterStartTime, err)
		}
	}
	for _, text := range []string{`"1e9"`, `"NaN"`, `"Inf"`, `"0x10"`, `"1_0"`, `"."`, `""`, "1e300", "[1]", "true", `"1.2.3"`, `"-1.5"`} {
		var r client.RunRequest
		if err := decode([]byte(`{"dataFilterEndTime": `+text+`}`), &r); err == nil {
			t.Errorf("%s: %d", text, *r.DataFilterEndTime)
		}
	}
}

// TestParse compares parsed documents with what encoding/json makes of them.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		` [ ] `, `{}`, `""`, "\t-0.5e+3\r\n", `true`, `false`, "{ \"a\" :\n[ 1 ,\t\"b\" , { } , [ ] ] , \"c\":{\"d\" : true}}",
		`["\"", "\\", "\\\"", "a\\", "\u00e4\ud83d\ude00\n", "ä😀", ",]}", "{[:"]`, `{"\"a":"b","":"","x":[[[1],2],3]}`,
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10}`,
	} {
		n, err := parse([]byte(doc))
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		decoder := json.NewDecoder(strings.NewReader(doc))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := plain(n); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", doc, got, want)
		}
	}
}
