package guest

import (
	"fmt"
	"strings"
)

// Outgoing is a message to publish: the record `outgoing` of wit/handler.wit. What is not set, the host sets: a message
// id derived from that of the message being handled, its correlation id, the publisher's exchange, key and content type.
type Outgoing struct {
	Body        []byte
	ContentType string
	// Headers take nil, bool, any integer, float32, float64, string, []byte, Timestamp and Nested.
	Headers map[string]any
	// RoutingKey is for a publisher whose key is a pattern.
	RoutingKey    string
	CorrelationID string
	MessageType   string
	ReplyTo       string
	ExpirationMS  *uint32
	Priority      *uint8
}

// JSON makes a message with a payload as its body. The error is a permanent failure.
func JSON(payload any) (*Outgoing, error) {
	body, err := encode(payload)
	if err != nil {
		return nil, err
	}
	return &Outgoing{Body: body}, nil
}

// Header adds a header, or replaces the one of this name.
func (o *Outgoing) Header(name string, value any) *Outgoing {
	if o.Headers == nil {
		o.Headers = map[string]any{}
	}
	o.Headers[name] = value
	return o
}

// Publish publishes through a publisher, event or command of the contract, and returns the message id it will have. It
// is sent when, and if, the handler returns nil. The error is a *Refusal, which is a permanent failure.
func (o *Outgoing) Publish(publisher string) (string, error) {
	id, err := host.Publish(publisher, o)
	if err != nil {
		return "", Permanent("%w", err)
	}
	return id, nil
}

// Publish publishes a payload as JSON, see Outgoing.Publish.
func Publish(publisher string, payload any) (string, error) {
	outgoing, err := JSON(payload)
	if err != nil {
		return "", err
	}
	return outgoing.Publish(publisher)
}

// Reason is why the host does not take a message.
type Reason uint8

// The cases of `publish-error` in wit/handler.wit.
const (
	UnknownPublisher Reason = iota
	NotGranted
	Invalid
	TooMany
	TooLarge
)

// Refusal is what the host says to a message that it does not take. Nothing of it was published.
type Refusal struct {
	Publisher string
	Reason    Reason
	Details   []string // with Invalid
	Limit     uint32   // with TooMany and TooLarge
}

func (r *Refusal) Error() string {
	switch r.Reason {
	case UnknownPublisher:
		return "publishing was refused: unknown publisher"
	case NotGranted:
		return "publishing was refused: not granted"
	case Invalid:
		return "publishing was refused: invalid: " + strings.Join(r.Details, "; ")
	case TooMany:
		return fmt.Sprintf("publishing was refused: too many: the limit is %d messages", r.Limit)
	default:
		return fmt.Sprintf("publishing was refused: too large: the limit is %d bytes", r.Limit)
	}
}
