package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
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
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return missing(body, kind, "")
}

// missing finds the first field that is not there, or null, where the type wants a value.
func missing(body []byte, kind reflect.Type, path string) error {
	for kind.Kind() == reflect.Pointer {
		if isNull(body) {
			return nil
		}
		kind = kind.Elem()
	}
	if reflect.PointerTo(kind).Implements(unmarshalerType) {
		return nil // it has its own rules
	}
	switch kind.Kind() {
	case reflect.Struct:
		return missingInStruct(body, kind, path)
	case reflect.Slice, reflect.Array:
		return missingInArray(body, kind.Elem(), path)
	case reflect.Map:
		return missingInMap(body, kind.Elem(), path)
	default:
		return nil
	}
}

func missingInStruct(body []byte, kind reflect.Type, path string) error {
	var there map[string]json.RawMessage
	if err := json.Unmarshal(body, &there); err != nil {
		return nil // the first pass found nothing wrong with it: it is no object, and the type takes that
	}
	if there == nil {
		return fmt.Errorf("`%s` is null", nonEmpty(path))
	}
	for i := range kind.NumField() {
		field := kind.Field(i)
		name, optional, skipped := rules(field)
		if skipped {
			continue
		}
		if field.Anonymous && name == "" {
			if err := missing(body, field.Type, path); err != nil {
				return err
			}
			continue
		}
		value, is := there[name]
		if optional && (!is || isNull(value)) {
			continue
		}
		at := strings.TrimPrefix(path+"."+name, ".")
		if !is {
			return fmt.Errorf("`%s` is missing", at)
		}
		if isNull(value) {
			return fmt.Errorf("`%s` is null", at)
		}
		if err := missing(value, field.Type, at); err != nil {
			return err
		}
	}
	return nil
}

func missingInArray(body []byte, element reflect.Type, path string) error {
	if !checks(element) {
		return nil
	}
	var elements []json.RawMessage
	if json.Unmarshal(body, &elements) != nil {
		return nil
	}
	for i, value := range elements {
		if err := missing(value, element, fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

func missingInMap(body []byte, element reflect.Type, path string) error {
	if !checks(element) {
		return nil
	}
	var elements map[string]json.RawMessage
	if json.Unmarshal(body, &elements) != nil {
		return nil
	}
	for name, value := range elements {
		if err := missing(value, element, strings.TrimPrefix(path+"."+name, ".")); err != nil {
			return err
		}
	}
	return nil
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

// rules gives the name that a field has in JSON, whether it may be missing, and whether JSON knows nothing of it. An
// embedded struct without a name of its own has none.
func rules(field reflect.StructField) (name string, optional, skipped bool) {
	tag := field.Tag.Get("json")
	if tag == "-" || !field.IsExported() && !field.Anonymous {
		return "", false, true
	}
	name, options, _ := strings.Cut(tag, ",")
	optional = field.Type.Kind() == reflect.Pointer
	for option := range strings.SplitSeq(options, ",") {
		optional = optional || option == "omitempty" || option == "omitzero"
	}
	if name == "" && !field.Anonymous {
		name = field.Name
	}
	return name, optional, false
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
