// Package guesttest is for testing a handler on the machine you work on, without a host: a double of what the host gives,
// which remembers what was published and logged.
//
//	func TestAnOrderIsAccepted(t *testing.T) {
//		host := guesttest.New(t)
//		host.Grant("processPayment")
//		err := guesttest.Handle(accept, guesttest.Message(`{"id": "o-1", "total": 9.5}`))
//		...
//	}
package guesttest

import (
	"fmt"
	"strings"
	"testing"

	"warren.local/guest"
)

// Publication is a message that was published.
type Publication struct {
	Publisher string
	guest.Outgoing
}

// Host is the double.
type Host struct {
	// Published is what was published, in order.
	Published []Publication
	// Logged is what was logged, one line each: `info: order accepted orderId=o-1`.
	Logged  []string
	granted map[string]bool
}

// New puts a double in the host's place until the test ends. It grants nothing, and knows no publisher.
func New(t testing.TB) *Host {
	host := &Host{granted: map[string]bool{}}
	before := guest.UseHost(host)
	t.Cleanup(func() { guest.UseHost(before) })
	return host
}

// Grant: from here on what is published through this publisher is taken.
func (h *Host) Grant(publisher string) { h.granted[publisher] = true }

// Deny: from here on this publisher is known, and not granted.
func (h *Host) Deny(publisher string) { h.granted[publisher] = false }

// Publish is what the handler's publishing ends in.
func (h *Host) Publish(publisher string, message *guest.Outgoing) (string, error) {
	granted, known := h.granted[publisher]
	switch {
	case !known:
		return "", &guest.Refusal{Publisher: publisher, Reason: guest.UnknownPublisher}
	case !granted:
		return "", &guest.Refusal{Publisher: publisher, Reason: guest.NotGranted}
	}
	h.Published = append(h.Published, Publication{publisher, *message})
	return fmt.Sprintf("id-%d", len(h.Published)), nil
}

// Log is what the handler's logging ends in.
func (h *Host) Log(level guest.Level, text string, fields [][2]string) {
	var line strings.Builder
	line.WriteString([]string{"trace", "debug", "info", "warn", "error"}[level] + ": " + text)
	for _, field := range fields {
		fmt.Fprintf(&line, " %s=%s", field[0], field[1])
	}
	h.Logged = append(h.Logged, line.String())
}

// Message makes a message with this body, at its first attempt of three. Change it as you need.
func Message(body string) *guest.Message {
	return &guest.Message{
		Body: []byte(body), Headers: map[string]any{}, Exchange: "test", RoutingKey: "test", Queue: "test",
		Consumer: "test", MessageID: "message-1", Attempt: 1, MaxAttempts: 3, DeadlineMS: 5000,
	}
}

// Handle reads the body and calls the handler, as the host's call would.
func Handle[P any](handler func(P, *guest.Message) error, message *guest.Message) error {
	payload, err := guest.Decode[P](message.Body)
	if err != nil {
		return err
	}
	return handler(payload, message)
}
