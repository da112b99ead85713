package guest

// How the words of wit/handler.wit cross the border, by the canonical ABI of the component model: a record is its fields
// one after the other, each at a multiple of its alignment; a string or list is an address and a length; a variant or
// option is a byte for the case, then its content at a multiple of the largest alignment among the cases.
//
// Written by hand and not by wit-bindgen, whose Go bindings allocate on Go's heap while that is not allowed, and hand out
// texts that lie in memory which the next call overwrites. The offsets are those of this wit/, which guests/go/build
// checks (guests/wit-hash), and of wit-bindgen 0.63.0:
//
// wit: f6438b88879e99d4d7af042b309caef967b7724e73267eaf5c5a3f43a29870bc

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"unsafe"
)

//go:wasmimport warren:handler/publisher@0.1.0 publish
func importPublish(parameters, result unsafe.Pointer)

//go:wasmimport warren:handler/logging@0.1.0 log
func importLog(level uint32, text unsafe.Pointer, textLength uint32, fields unsafe.Pointer, fieldCount uint32)

// border is held while something is in the arena: goroutines of one handler may publish and log.
var border sync.Mutex

func init() { host = component{} }

// exportHandle is what the host calls. There is no `cabi_post`, because what it returns lies in the arena until the next
// call.
//
//go:wasmexport warren:handler/consumer@0.1.0#handle
func exportHandle(parameters unsafe.Pointer) unsafe.Pointer {
	message := liftMessage(parameters)
	reset()
	err := run(message)
	border.Lock()
	defer border.Unlock()
	reset()
	return lowerResult(err)
}

// run calls the handler, and lets a panic say why in the log, which knows the message, before it ends the instance.
func run(message *Message) error {
	if handler == nil {
		panic("this component has no handler; hint: func init() { guest.Handle(yourFunction) }")
	}
	defer func() {
		if reason := recover(); reason != nil {
			host.Log(LevelError, fmt.Sprintf("handler panicked: %v", reason), nil)
			panic(reason)
		}
	}()
	return handler(message)
}

// --- Lifting: from the arena into Go's heap -------------------------------------------------------------------------

func at(base unsafe.Pointer, offset uintptr) unsafe.Pointer { return unsafe.Add(base, offset) }

func liftU32(base unsafe.Pointer, offset uintptr) uint32 { return *(*uint32)(at(base, offset)) }

func liftByte(base unsafe.Pointer, offset uintptr) byte { return *(*byte)(at(base, offset)) }

// view is an address and a length as Go sees it, which lasts until the next reset.
func view(base unsafe.Pointer, offset uintptr) []byte {
	length := liftU32(base, offset+4)
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(liftU32(base, offset)))), length)
}

func liftBytes(base unsafe.Pointer, offset uintptr) []byte {
	return append([]byte{}, view(base, offset)...)
}

func liftText(base unsafe.Pointer, offset uintptr) string { return string(view(base, offset)) }

func liftOptionalText(base unsafe.Pointer, offset uintptr) string {
	if liftByte(base, offset) == 0 {
		return ""
	}
	return liftText(base, offset+4)
}

func liftMessage(base unsafe.Pointer) *Message {
	message := &Message{
		Body:          liftBytes(base, 0),
		ContentType:   liftOptionalText(base, 8),
		Headers:       liftHeaders(base, 20),
		Exchange:      liftText(base, 28),
		RoutingKey:    liftText(base, 36),
		Queue:         liftText(base, 44),
		Consumer:      liftText(base, 52),
		MessageID:     liftText(base, 60),
		CorrelationID: liftOptionalText(base, 68),
		CausationID:   liftOptionalText(base, 80),
		ReplyTo:       liftOptionalText(base, 92),
		MessageType:   liftOptionalText(base, 104),
		AppID:         liftOptionalText(base, 116),
		Attempt:       liftU32(base, 152),
		MaxAttempts:   liftU32(base, 156),
		Redelivered:   liftByte(base, 160) != 0,
		DeadlineMS:    liftU32(base, 164),
	}
	if liftByte(base, 128) != 0 {
		priority := liftByte(base, 129)
		message.Priority = &priority
	}
	if liftByte(base, 136) != 0 {
		timestamp := *(*uint64)(at(base, 144))
		message.Timestamp = &timestamp
	}
	return message
}

const headerSize = 24

func liftHeaders(base unsafe.Pointer, offset uintptr) map[string]any {
	count := uintptr(liftU32(base, offset+4))
	headers := make(map[string]any, count)
	first := unsafe.Pointer(uintptr(liftU32(base, offset)))
	for i := range count {
		header := at(first, i*headerSize)
		headers[liftText(header, 0)] = liftHeaderValue(header)
	}
	return headers
}

func liftHeaderValue(header unsafe.Pointer) any {
	switch liftByte(header, 8) {
	case 1:
		return liftByte(header, 16) != 0
	case 2:
		return *(*int64)(at(header, 16))
	case 3:
		return *(*float64)(at(header, 16))
	case 4:
		return liftText(header, 16)
	case 5:
		return liftBytes(header, 16)
	case 6:
		return Timestamp(*(*uint64)(at(header, 16)))
	case 7:
		return Nested(liftText(header, 16))
	default:
		return nil
	}
}

func liftRefusal(publisher string, result unsafe.Pointer) *Refusal {
	refusal := &Refusal{Publisher: publisher, Reason: Reason(liftByte(result, 4))}
	switch refusal.Reason {
	case Invalid:
		first := unsafe.Pointer(uintptr(liftU32(result, 8)))
		for i := range uintptr(liftU32(result, 12)) {
			refusal.Details = append(refusal.Details, liftText(first, i*8))
		}
	case TooMany, TooLarge:
		refusal.Limit = liftU32(result, 8)
	}
	return refusal
}

// --- Lowering: into the arena ---------------------------------------------------------------------------------------

// room is zeroed, because the arena is not.
func room(size, alignment uintptr) unsafe.Pointer {
	given := allocate(size, alignment)
	clear(unsafe.Slice((*byte)(given), size))
	return given
}

func lowerU32(base unsafe.Pointer, offset uintptr, value uint32) {
	*(*uint32)(at(base, offset)) = value
}

func lowerByte(base unsafe.Pointer, offset uintptr, value byte) { *(*byte)(at(base, offset)) = value }

func lowerBytes(base unsafe.Pointer, offset uintptr, bytes []byte) {
	if len(bytes) > math.MaxInt32 {
		panic("more than 2 GiB for the host")
	}
	copied := allocate(uintptr(max(len(bytes), 1)), 1)
	copy(unsafe.Slice((*byte)(copied), len(bytes)), bytes)
	lowerU32(base, offset, uint32(uintptr(copied)))
	lowerU32(base, offset+4, uint32(len(bytes)))
}

// lowerText puts U+FFFD in place of what is not UTF-8, over which the host would trap.
func lowerText(base unsafe.Pointer, offset uintptr, text string) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	lowerBytes(base, offset, unsafe.Slice(unsafe.StringData(text), len(text)))
}

func lowerOptionalText(base unsafe.Pointer, offset uintptr, text string) {
	if text != "" {
		lowerByte(base, offset, 1)
		lowerText(base, offset+4, text)
	}
}

func lowerOutgoing(base unsafe.Pointer, message *Outgoing) error {
	lowerBytes(base, 8, message.Body)
	lowerOptionalText(base, 16, message.ContentType)
	lowerOptionalText(base, 36, message.RoutingKey)
	lowerOptionalText(base, 48, message.CorrelationID)
	lowerOptionalText(base, 60, message.MessageType)
	lowerOptionalText(base, 72, message.ReplyTo)
	if message.ExpirationMS != nil {
		lowerByte(base, 84, 1)
		lowerU32(base, 88, *message.ExpirationMS)
	}
	if message.Priority != nil {
		lowerByte(base, 92, 1)
		lowerByte(base, 93, *message.Priority)
	}
	headers := room(uintptr(max(len(message.Headers), 1))*headerSize, 8)
	lowerU32(base, 28, uint32(uintptr(headers)))
	lowerU32(base, 32, uint32(len(message.Headers)))
	next := uintptr(0)
	for name, value := range message.Headers {
		header := at(headers, next)
		lowerText(header, 0, name)
		if err := lowerHeaderValue(header, value); err != nil {
			return Permanent("header `%s`: %w", name, err)
		}
		next += headerSize
	}
	return nil
}

func lowerHeaderValue(header unsafe.Pointer, value any) error {
	tag := byte(0)
	switch value := value.(type) {
	case nil:
	case bool:
		tag = 1
		if value {
			lowerByte(header, 16, 1)
		}
	case float32:
		tag = 3
		*(*float64)(at(header, 16)) = float64(value)
	case float64:
		tag = 3
		*(*float64)(at(header, 16)) = value
	case string:
		tag = 4
		lowerText(header, 16, value)
	case []byte:
		tag = 5
		lowerBytes(header, 16, value)
	case Timestamp:
		tag = 6
		*(*uint64)(at(header, 16)) = uint64(value)
	case Nested:
		tag = 7
		lowerText(header, 16, string(value))
	default:
		integer, err := integerOf(value)
		if err != nil {
			return err
		}
		tag = 2
		*(*int64)(at(header, 16)) = integer
	}
	lowerByte(header, 8, tag)
	return nil
}

// lowerResult makes the answer to the host. A text that is empty needs no memory of its own.
func lowerResult(err error) unsafe.Pointer {
	result := room(20, 4)
	if err == nil {
		return result
	}
	class := ClassOf(err)
	lowerByte(result, 0, 1)
	lowerByte(result, 4, byte(class))
	text := uintptr(8)
	if class == ClassRateLimited {
		lowerU32(result, 8, retryAfterMS(err))
		text = 12
	}
	lowerText(result, text, err.Error())
	return result
}

// --- The host -------------------------------------------------------------------------------------------------------

type component struct{}

func (component) Publish(publisher string, message *Outgoing) (string, error) {
	border.Lock()
	defer border.Unlock()
	defer reset()
	parameters, result := room(96, 4), room(16, 4)
	lowerText(parameters, 0, publisher)
	if err := lowerOutgoing(parameters, message); err != nil {
		return "", err
	}
	importPublish(parameters, result)
	if liftByte(result, 0) == 0 {
		return liftText(result, 4), nil
	}
	return "", liftRefusal(publisher, result)
}

func (component) Log(level Level, text string, fields [][2]string) {
	border.Lock()
	defer border.Unlock()
	defer reset()
	line, pairs := room(8, 4), room(uintptr(max(len(fields), 1))*16, 4)
	lowerText(line, 0, text)
	for i, field := range fields {
		lowerText(pairs, uintptr(i)*16, field[0])
		lowerText(pairs, uintptr(i)*16+8, field[1])
	}
	address := unsafe.Pointer(uintptr(liftU32(line, 0)))
	importLog(uint32(level), address, liftU32(line, 4), pairs, uint32(len(fields)))
}
