package formats

import (
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// TestInferDecimalComma proposes numbers of columns with decimal commas, and leaves what could have decimal points alone.
func TestInferDecimalComma(t *testing.T) {
	t.Parallel()
	file := "sum;lat;whole;zip;word\n12,5;48.123;7;12,5;a\n1.234,5;11.582;8;1,5;b,c\n"
	got, err := Infer(t.Context(), tabulartest.Stored([]byte(file)), audience.Format{DecimalComma: true}, nil, tabular.Sample{Rows: 10, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	want := []audience.Type{audience.Number, audience.String, audience.Integer, audience.String, audience.String}
	for i, c := range got.Columns {
		if c.Type != want[i] {
			t.Errorf("%s is %s, want %s", c.Name, c.Type, want[i])
		}
	}
}

// TestFirstPerson refuses a first person as a header, without the values, and takes odd names.
func TestFirstPerson(t *testing.T) {
	t.Parallel()
	for file, refused := range map[string]bool{
		"ada@ex.com,Ada\nbob@ex.com,Bob\n": true, "Ada,+44 20 7946 0958\nBob,+44 20 7946 0959\n": true, "4915112345678\n4915112345679\n": true,
		"0cc175b9c0f1b6a831c399e269772661\n": true, "Ada,1815-12-10\nBob,1906-12-09\n": true, "123e4567-e89b-12d3-a456-426614174000,1\n": true,
		"email,2024-01-01,2024-02-01\na@ex.com,1,2\n": false, "email,2023,2024\na@ex.com,1,2\n": false, "e@mail,n\n1,2\n": false, "id,1234567\na,1\n": false, "Name,Phone +\nAda,1\n": false,
	} {
		_, err := Infer(t.Context(), tabulartest.Stored([]byte(file)), audience.Format{}, nil, tabular.Sample{Rows: 10, Bytes: 1 << 20})
		if (err != nil) != refused || refused && (!strings.Contains(err.Error(), "--no-header") || strings.Contains(err.Error(), "Ada")) {
			t.Errorf("%q: %v", file, err)
		}
	}
	yes := true
	if _, err := Infer(t.Context(), tabulartest.Stored([]byte("ada@ex.com,Ada\nbob@ex.com,Bob\n")), audience.Format{Header: &yes}, nil, tabular.Sample{Rows: 10, Bytes: 1 << 20}); err != nil {
		t.Error(err)
	}
}

// TestRepeatedNames tells where a name stands more than once.
func TestRepeatedNames(t *testing.T) {
	t.Parallel()
	got, err := Infer(t.Context(), tabulartest.Stored([]byte("x,Email,y,, email ,\n1,2,3,4,5,6\n")), audience.Format{}, nil, tabular.Sample{Rows: 10, Bytes: 1 << 20})
	if at := got.Places[audience.NameKey("EMAIL")]; err != nil || len(got.Places) != 1 || len(at) != 2 || at[0] != 2 || at[1] != 5 {
		t.Errorf("%v, %v", got.Places, err)
	}
}
