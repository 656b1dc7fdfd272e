package wire

import (
	"reflect"
	"testing"

	"roster/internal/audience"
)

// TestRoundTrip fills every member of a format and of a field, so that a new one cannot be forgotten.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var format audience.Format
	fill(t, reflect.ValueOf(&format).Elem())
	if got := FormatOf(Format(&format)); !reflect.DeepEqual(*got, format) {
		t.Errorf("the format %+v becomes %+v", format, *got)
	}
	var field audience.Field
	fill(t, reflect.ValueOf(&field).Elem())
	if got := FieldOf(Field(field)); !reflect.DeepEqual(got, field) {
		t.Errorf("the field %+v becomes %+v", field, got)
	}
	if Format(nil) != nil || FormatOf(nil) != nil {
		t.Error("no format becomes one")
	}
}

// fill gives every member of a struct a value.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int:
			f.SetInt(7)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{v.Type().Field(i).Name}))
		case reflect.Pointer:
			f.Set(reflect.ValueOf(new(true)))
		default:
			t.Fatalf("a member of kind %s", f.Kind())
		}
	}
}
