package api

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	contract "roster/api"
)

// description is openapi.yaml as plain values. Its methods report faults.
type description struct {
	t          *testing.T
	root       map[string]any
	components map[string]string // paths of components, by their names in code
}

// TestGenerators checks that openapi.yaml has nothing that is valid but breaks generators of clients. tests/clients
// generates clients and uses them; this test names the location of the fault and needs no generator.
func TestGenerators(t *testing.T) {
	t.Parallel()
	d := &description{t: t, components: map[string]string{}}
	if err := yaml.Unmarshal(contract.OpenAPI, &d.root); err != nil {
		t.Fatal(err)
	}
	if d.root["webhooks"] != nil {
		t.Error("webhooks: openapi-generator takes it for operations of this API; describe a callback")
	}
	for path, item := range d.root["paths"].(map[string]any) {
		if child(item, "servers") != nil {
			d.t.Errorf("%s has servers: clients of openapi-generator call them, and not the host that they are given", path)
		}
	}
	d.texts(d.root, "")
	d.schemas(d.root, "")
	d.names()
	d.operations()
}

// child returns the value at a path of keys, nil if it does not exist.
func child(value any, keys ...string) any {
	for _, key := range keys {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

// each calls a function for each member of an object or an array.
func each(value any, do func(key string, member any)) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			do(key, value[key])
		}
	case []any:
		for i, member := range value {
			do(strconv.Itoa(i), member)
		}
	}
}

// texts refuses text that would end a comment in generated code.
func (d *description) texts(value any, path string) {
	if text, is := value.(string); is && strings.Contains(text, "*/") {
		d.t.Errorf("%s: */ ends a comment in generated code", path)
	}
	each(value, func(key string, member any) {
		if strings.Contains(key, "*/") {
			d.t.Errorf("%s/%s: */ ends a comment in generated code", path, key)
		}
		d.texts(member, path+"/"+key)
	})
}

// schemas checks every schema in a value. It skips examples.
func (d *description) schemas(value any, path string) {
	if strings.HasSuffix(path, "/example") || strings.HasSuffix(path, "/examples") {
		return
	}
	if object, is := value.(map[string]any); is {
		if !strings.HasSuffix(path, "/properties") {
			d.schema(object, path)
		}
		if strings.HasSuffix(path, "/content") {
			each(object, func(kind string, media any) {
				if child(media, "schema") == nil {
					d.t.Errorf("%s/%s has no schema", path, kind)
				}
			})
		}
	}
	each(value, func(key string, member any) { d.schemas(member, path+"/"+key) })
}

// schema checks one schema.
func (d *description) schema(schema map[string]any, path string) {
	kind := d.kind(schema, path)
	values, _ := schema["enum"].([]any)
	if one := schema["const"]; one != nil {
		values = append(values, one)
	}
	for _, value := range values {
		if is := fmt.Sprintf("%T", value); is != map[string]string{"string": "string", "integer": "int"}[kind] {
			d.t.Errorf("%s: the value %v is %s and the type is %q; generators know enums and constants of texts and of whole numbers, with their type", path, value, is, kind)
		}
	}
	unlike(d.t, path, values)
	if kind == "array" && schema["items"] == nil {
		d.t.Errorf("%s: an array without items", path)
	}
	if kind == "integer" && schema["maximum"] == nil && schema["const"] == nil && schema["format"] != "int64" {
		d.t.Errorf("%s: a whole number without a maximum has 32 bits in generated code unless its format is int64", path)
	}
	if kind == "number" && schema["format"] != "double" {
		d.t.Errorf("%s: a number has 32 bits in generated code unless its format is double", path)
	}
	for _, several := range []string{"oneOf", "anyOf"} {
		each(schema[several], func(key string, one any) {
			if at := path + "/" + several + "/" + key; child(d.target(one, at), "type") != "object" || child(one, "$ref") == nil {
				d.t.Errorf("%s: generators make alternatives only of schemas of objects that have names", at)
			}
		})
	}
	if kind != "" && schema["default"] != nil && !strings.Contains(path, "/parameters/") {
		d.t.Errorf("%s: a default; clients take the property for mandatory, or send it in a change whose caller has not named it", path)
	}
	if ref, is := schema["$ref"].(string); is && strings.Count(ref, "/") != 3 {
		d.t.Errorf("%s: %s leads into a component; generators know only references to whole ones", path, ref)
	}
}

// kind returns the type of a schema without null.
func (d *description) kind(schema map[string]any, path string) string {
	switch kind := schema["type"].(type) {
	case string:
		if kind == "null" {
			d.t.Errorf("%s: a type of null alone", path)
		}
		return kind
	case []any:
		if len(kind) != 2 || kind[1] != "null" {
			d.t.Errorf("%s: of several types; generators know one, and null behind it", path)
		}
		text, _ := kind[0].(string)
		return text
	}
	return ""
}

// target returns the value that a schema or a parameter refers to, or the value itself.
func (d *description) target(value any, path string) any {
	ref, is := child(value, "$ref").(string)
	if !is {
		return value
	}
	found := child(d.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	if found == nil {
		d.t.Errorf("%s: there is no %s", path, ref)
	}
	return found
}

// inCode returns a name in the form in which generators compare it: without case and signs.
func inCode(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-. $", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// unlike requires that values have different names in code.
func unlike(t *testing.T, path string, values []any) {
	seen := map[string]any{}
	for _, value := range values {
		name := strings.TrimPrefix(fmt.Sprint(value), "-")
		if name != fmt.Sprint(value) {
			name = "minus " + name
		}
		if other, is := seen[inCode(name)]; is {
			t.Errorf("%s: %v and %v are one name in generated code", path, value, other)
		}
		seen[inCode(name)] = value
	}
}

// taken are names that generated code already has: types of its runtime, and words of the languages.
var taken = []string{"apiclient", "apierror", "apiexception", "apiresponse", "client", "clientinterface", "clientoption", "clientwithresponses", "configuration", "date", "default", "error", "field",
	"file", "format", "list", "map", "model", "object", "pair", "property", "request", "requesteditorfn", "response", "serverconfiguration", "set", "string", "type", "types", "unset", "warning"}

// prefixes are put before the name of a schema in generated code.
var prefixes = []string{"new", "nullable", "api", "model", "inline"}

// names checks that no two components have the same name, and that no component has the name of a type that is
// generated for a part of another one.
func (d *description) names() {
	var constants []any
	each(d.root["components"], func(section string, all any) {
		each(all, func(name string, component any) {
			if other, is := d.components[inCode(name)]; is {
				d.t.Errorf("components/%s/%s and %s are one name in generated code", section, name, other)
			}
			d.components[inCode(name)] = section + "/" + name
			if values, _ := child(component, "enum").([]any); section == "schemas" {
				constants = append(constants, values...)
			}
		})
	})
	// In Go, the values of all component enums are constants of one package.
	unlike(d.t, "components/schemas", constants)
	each(child(d.root, "components", "schemas"), func(name string, schema any) {
		if slices.Contains(taken, inCode(name)) {
			d.t.Errorf("components/schemas/%s: generated code has this name already", name)
		}
		for _, prefix := range prefixes {
			if rest, is := strings.CutPrefix(inCode(name), prefix); is && rest != "" {
				d.t.Errorf("components/schemas/%s: generated code has the prefix %s for names of its own", name, prefix)
			}
		}
		d.parts(name, schema)
	})
}

// parts checks the names of the types that generators make for the properties of a schema.
func (d *description) parts(name string, schema any) {
	each(child(schema, "properties"), func(property string, part any) {
		if child(part, "enum") == nil && child(part, "properties") == nil {
			return
		}
		if other, is := d.components[inCode(name+property)]; is {
			d.t.Errorf("components/schemas/%s: the type of its property %s has the name of %s in generated code", name, property, other)
		}
		d.parts(name+property, part)
	})
}

// operations checks the names and tags of the operations, and their parameters.
func (d *description) operations() {
	seen, tags := map[string]string{}, []any{}
	each(d.root["tags"], func(_ string, tag any) { tags = append(tags, child(tag, "name")) })
	each(d.root["paths"], func(path string, item any) {
		each(item, func(method string, op any) {
			if method == "parameters" || method == "servers" {
				return
			}
			call := strings.ToUpper(method) + " " + path
			id, _ := child(op, "operationId").(string)
			if other, is := seen[inCode(id)]; is || id == "" {
				d.t.Errorf("%s: its operationId %q is empty or the one of %s", call, id, other)
			}
			seen[inCode(id)] = call
			for _, suffix := range []string{"", "response", "params", "request", "jsonbody"} {
				if other, is := d.components[inCode(id+suffix)]; is {
					d.t.Errorf("%s: generated code makes of its operationId the name of %s", call, other)
				}
			}
			if own, _ := child(op, "tags").([]any); len(own) != 1 || !slices.Contains(tags, own[0]) {
				d.t.Errorf("%s: its tags are %v, one of the list is wanted", call, own)
			}
			names := []any{}
			for _, list := range []any{child(item, "parameters"), child(op, "parameters")} {
				each(list, func(_ string, p any) { names = append(names, child(d.target(p, call), "name")) })
			}
			unlike(d.t, call, names)
		})
	})
}
