package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"
)

// Raw is a payload that is taken as it is: for bodies that are not JSON.
type Raw []byte

var (
	rawType         = reflect.TypeFor[Raw]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// Decode reads a body as a payload, as Handle does it. In a struct every field has to be there, unless it is a pointer or
// its tag says `omitempty` or `omitzero`. Fields that the struct does not have are passed over.
//
// The error is a permanent failure, and its text begins with `payload: `.
func Decode[P any](body []byte) (P, error) {
	var payload P
	if raw, ok := any(&payload).(*Raw); ok {
		*raw = body
		return payload, nil
	}
	if err := decode(body, &payload, reflect.TypeFor[P]()); err != nil {
		var none P
		return none, Permanent("payload: %w", err)
	}
	return payload, nil
}

func decode(body []byte, into any, kind reflect.Type) error {
	// encoding/json would put U+FFFD in place of what is none, and the message would change on its way through.
	if !utf8.Valid(body) {
		return fmt.Errorf("not UTF-8")
	}
	if at := loneSurrogate(body); at >= 0 {
		return fmt.Errorf("half of a surrogate pair at byte %d", at)
	}
	fitting, err := fit(body, kind, "")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(fitting, into); err != nil {
		return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// fit finds the first field that is not there, or null, where the type wants a value. What it gives back is the body,
// without names that encoding/json would take for those of fields though they differ in case. What is of another kind
// than the type, or no JSON at all, is left to encoding/json, which says so.
func fit(body json.RawMessage, kind reflect.Type, path string) (json.RawMessage, error) {
	for kind.Kind() == reflect.Pointer {
		if isNull(body) {
			return body, nil
		}
		kind = kind.Elem()
	}
	if reflect.PointerTo(kind).Implements(unmarshalerType) {
		return body, nil // it has its own rules
	}
	switch kind.Kind() {
	case reflect.Struct:
		return fitStruct(body, kind, path)
	case reflect.Slice, reflect.Array:
		return fitArray(body, kind.Elem(), path)
	case reflect.Map:
		return fitMap(body, kind.Elem(), path)
	default:
		return body, nil
	}
}

func fitStruct(body json.RawMessage, kind reflect.Type, path string) (json.RawMessage, error) {
	var there map[string]json.RawMessage
	if err := json.Unmarshal(body, &there); err != nil {
		return body, nil
	}
	if there == nil {
		return nil, fmt.Errorf("`%s` is null", nonEmpty(path))
	}
	names := map[string]bool{}
	changed := false
	for _, field := range fields(kind) {
		names[field.name] = true
		at := strings.TrimPrefix(path+"."+field.name, ".")
		value, is := there[field.name]
		switch {
		case field.optional && (!is || isNull(value)):
			continue
		case !is:
			return nil, fmt.Errorf("`%s` is missing", at)
		case isNull(value):
			return nil, fmt.Errorf("`%s` is null", at)
		}
		fitting, err := fit(value, field.kind, at)
		if err != nil {
			return nil, err
		}
		changed = changed || !same(value, fitting)
		there[field.name] = fitting
	}
	for name := range there {
		if !names[name] && hasFold(names, name) {
			delete(there, name)
			changed = true
		}
	}
	return rebuilt(body, there, changed)
}

func fitArray(body json.RawMessage, kind reflect.Type, path string) (json.RawMessage, error) {
	var elements []json.RawMessage
	if !checks(kind) || json.Unmarshal(body, &elements) != nil {
		return body, nil
	}
	changed := false
	for i, value := range elements {
		fitting, err := fit(value, kind, fmt.Sprintf("%s[%d]", path, i))
		if err != nil {
			return nil, err
		}
		changed = changed || !same(value, fitting)
		elements[i] = fitting
	}
	return rebuilt(body, elements, changed)
}

func fitMap(body json.RawMessage, kind reflect.Type, path string) (json.RawMessage, error) {
	var elements map[string]json.RawMessage
	if !checks(kind) || json.Unmarshal(body, &elements) != nil {
		return body, nil
	}
	changed := false
	for name, value := range elements {
		fitting, err := fit(value, kind, strings.TrimPrefix(path+"."+name, "."))
		if err != nil {
			return nil, err
		}
		changed = changed || !same(value, fitting)
		elements[name] = fitting
	}
	return rebuilt(body, elements, changed)
}

func rebuilt(body json.RawMessage, parts any, changed bool) (json.RawMessage, error) {
	if !changed {
		return body, nil
	}
	return json.Marshal(parts)
}

// same says whether fit gave back what it was given.
func same(a, b json.RawMessage) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

func hasFold(names map[string]bool, name string) bool {
	for known := range names {
		if strings.EqualFold(known, name) {
			return true
		}
	}
	return false
}

// checks says whether there can be something missing in a value of this type.
func checks(kind reflect.Type) bool {
	switch kind.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Array, reflect.Map, reflect.Pointer:
		return kind != rawType
	default:
		return false
	}
}

// field is what JSON knows of a field of a struct.
type field struct {
	name     string
	optional bool
	kind     reflect.Type
}

// known holds what fields found out, by type.
var known sync.Map

// fields gives those of a struct, and of the structs that are embedded in it without a name of their own.
func fields(kind reflect.Type) []field {
	if found, ok := known.Load(kind); ok {
		return found.([]field)
	}
	var all []field
	for i := range kind.NumField() {
		of := kind.Field(i)
		tag := of.Tag.Get("json")
		if tag == "-" || !of.IsExported() && !of.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if of.Anonymous && name == "" && of.Type.Kind() == reflect.Struct {
			all = append(all, fields(of.Type)...)
			continue
		}
		if name == "" {
			name = of.Name
		}
		optional := of.Type.Kind() == reflect.Pointer
		for option := range strings.SplitSeq(options, ",") {
			optional = optional || option == "omitempty" || option == "omitzero"
		}
		all = append(all, field{name, optional, of.Type})
	}
	known.Store(kind, all)
	return all
}

func isNull(body []byte) bool { return bytes.Equal(bytes.TrimSpace(body), []byte("null")) }

func nonEmpty(path string) string {
	if path == "" {
		return "the body"
	}
	return path
}

// loneSurrogate finds an escape that is half of a surrogate pair in a JSON text; -1 if there is none.
func loneSurrogate(body []byte) int {
	for at := 0; at < len(body); {
		next := bytes.IndexByte(body[at:], '\\')
		if next < 0 {
			return -1
		}
		at += next
		unit, ok := unicodeEscape(body[at:])
		switch {
		case !ok:
			at += 2 // an escape of one letter, `\\` among them
		case unit < 0xD800 || unit > 0xDFFF:
			at += 6
		default:
			low, ok := unicodeEscape(body[min(at+6, len(body)):])
			if unit > 0xDBFF || !ok || low < 0xDC00 || low > 0xDFFF {
				return at
			}
			at += 12
		}
	}
	return -1
}

// unicodeEscape reads `\u` and four digits.
func unicodeEscape(text []byte) (unit uint32, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, digit := range text[2:6] {
		value := strings.IndexByte("0123456789abcdef", digit|0x20)
		if value < 0 {
			return 0, false
		}
		unit = unit<<4 | uint32(value)
	}
	return unit, true
}

// encode writes a payload as JSON, with texts as they are: json.Marshal alone would escape `<`, `>` and `&`.
func encode(payload any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(payload); err != nil {
		return nil, Permanent("the payload to publish cannot be written as JSON: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
