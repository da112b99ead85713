package guest

// Message is a message, and where this handing-over of it stands: the record `message` of wit/handler.wit. An optional
// text that is not set is empty.
type Message struct {
	// Body is the payload, decoded from its content-encoding and already validated against the contract's schema.
	Body        []byte
	ContentType string
	// Headers are the AMQP headers as they were published. A value is nil, a bool, an int64, a float64, a string, a
	// []byte, a Timestamp or a Nested.
	Headers map[string]any
	// Exchange and RoutingKey are the original ones, also after a retry.
	Exchange, RoutingKey string
	// Queue and Consumer are where the message was taken from and who in the contract takes it.
	Queue, Consumer string
	// MessageID identifies the message over all its attempts.
	MessageID                           string
	CorrelationID, CausationID, ReplyTo string
	MessageType, AppID                  string
	Priority                            *uint8
	// Timestamp is in seconds since 1970-01-01T00:00:00Z.
	Timestamp *uint64
	// Attempt counts how many times a handler was asked to handle this message: 1 the first time. The last one is
	// MaxAttempts.
	Attempt, MaxAttempts uint32
	// Redelivered is the broker's hint that this message may have been handed over before. Not a count.
	Redelivered bool
	// DeadlineMS is how long this call may take, in milliseconds, before the host stops it.
	DeadlineMS uint32
}

// Timestamp is an AMQP timestamp in a header, in seconds since 1970-01-01T00:00:00Z.
type Timestamp uint64

// Nested is an AMQP array or table in a header, as JSON text.
type Nested string

// TextHeader gives the text in a header; false if there is none, or it is not a text.
func (m *Message) TextHeader(name string) (string, bool) {
	text, ok := m.Headers[name].(string)
	return text, ok
}

// IsLastAttempt says whether a failure of this attempt is final.
func (m *Message) IsLastAttempt() bool { return m.Attempt >= m.MaxAttempts }
