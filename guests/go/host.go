package guest

import "log/slog"

// Host is what a handler can ask of the host. In a component it is the host; in a test it is a double, see guesttest.
type Host interface {
	// Publish puts a message into the outbox, and returns the message id it will have, or a *Refusal.
	Publish(publisher string, message *Outgoing) (string, error)
	// Log writes one log event. Fields are pairs of a name and a value.
	Log(level Level, text string, fields [][2]string)
}

// Level is how important a log line is.
type Level uint8

// The levels, as the contract's host knows them.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

var host Host = nowhere{}

// UseHost puts a host in place of the one that is there, which it returns. For tests.
func UseHost(other Host) Host {
	before := host
	host = other
	return before
}

// nowhere is the host on the machine you work on.
type nowhere struct{}

const noHost = "there is no host here; hint: in a test, begin with `host := guesttest.New(t)`"

func (nowhere) Publish(string, *Outgoing) (string, error) { panic(noHost) }

func (nowhere) Log(Level, string, [][2]string) { panic(noHost) }

// handler is the function given to Handle.
var handler func(message *Message) error

// Handle makes a function the handler of this component. Call it once, in `func init()`. P is what the body is read as,
// see Decode.
func Handle[P any](handle func(payload P, message *Message) error) {
	if handler != nil {
		panic("guest.Handle was called twice: a component has one handler")
	}
	handler = func(message *Message) error {
		payload, err := Decode[P](message.Body)
		if err != nil {
			return err
		}
		return handle(payload, message)
	}
	slog.SetDefault(slog.New(&logger{}))
	slog.SetLogLoggerLevel(slog.LevelInfo)
}
