// Accepts an order: checks it, logs it, and publishes that it was accepted. Copy this folder and make it yours:
//
//	guests/go/build FOLDER           builds FOLDER/<name of the folder>.wasm
//	guests/go/build --test FOLDER    runs its tests first, on the machine you work on
package main

import (
	"log/slog"
	"time"

	"warren.local/guest"
)

// Order is what this handler reads of a message. A field that is no pointer has to be there.
type Order struct {
	ID       string  `json:"orderId"`
	Amount   int64   `json:"amount"` // in cents
	Customer string  `json:"customer"`
	Note     *string `json:"note"`
}

// Accepted is what it publishes.
type Accepted struct {
	ID       string  `json:"orderId"`
	Amount   int64   `json:"amount"`
	Customer string  `json:"customer"`
	Attempt  uint32  `json:"attempt"`
	Note     *string `json:"note,omitempty"`
}

func accept(order Order, message *guest.Message) error {
	if order.Amount <= 0 {
		return guest.Permanent("amount must be positive")
	}
	// What a customer that does not exist outside of tests makes the handler do.
	switch order.Customer {
	case "busy":
		return guest.RateLimited(1500*time.Millisecond, "customer is busy")
	case "flaky":
		if message.Attempt < 2 {
			return guest.Transient("try again")
		}
	case "forbidden":
		return guest.Unauthorized("not our customer")
	case "crash":
		panic("the handler has a bug") // a trap: retried within the contract's bound, then dead-lettered with its stack
	case "unlisted":
		return audit(order)
	}

	slog.Info("order accepted", "orderId", order.ID, "amount", order.Amount)
	outgoing, err := guest.JSON(Accepted{order.ID, order.Amount, order.Customer, message.Attempt, order.Note})
	if err != nil {
		return err
	}
	outgoing.Header("source", "template")
	if tenant, ok := message.TextHeader("tenant"); ok {
		outgoing.Header("tenant", tenant)
	}
	_, err = outgoing.Publish("orderAccepted")
	return err
}

// audit publishes through `auditTrail`, which is in the contract, but not granted to this consumer.
func audit(order Order) error {
	_, err := guest.Publish("auditTrail", map[string]string{"orderId": order.ID})
	return err
}

func init() { guest.Handle(accept) }

func main() {}
