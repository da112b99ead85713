// Package guest is for writing a message handler for Warren in Go: one function on a typed payload.
//
//	package main
//
//	import (
//		"log/slog"
//
//		"warren.local/guest"
//	)
//
//	type Order struct {
//		ID    string  `json:"id"`
//		Total float64 `json:"total"`
//	}
//
//	func accept(order Order, message *guest.Message) error {
//		slog.Info("order accepted", "orderId", order.ID)
//		_, err := guest.Publish("processPayment", map[string]any{"orderId": order.ID, "amount": order.Total})
//		return err
//	}
//
//	func init() { guest.Handle(accept) }
//
//	func main() {}
//
// The function says what the message means; what happens to it is the contract's and the host's business. After nil what
// was published is sent, and the message acknowledged when that is confirmed; after an error nothing is published.
// Permanent, Transient, RateLimited and Unauthorized make errors that say which; any other error is transient. A panic is
// a fault: retried within the contract's bound.
//
// A goroutine stops where it is when the handler returns, and goes on in a later call of the same instance, if there is
// one: wait for those that you start.
package guest
