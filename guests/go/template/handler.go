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
	publisher := "orderAccepted"
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
		panic("customer is `crash`")
	case "unlisted":
		publisher = "auditTrail"
	}

	outgoing, err := guest.JSON(Accepted{order.ID, order.Amount, order.Customer, message.Attempt, order.Note})
	if err != nil {
		return err
	}
	outgoing.Header("source", "template")
	if tenant, ok := message.TextHeader("tenant"); ok {
		outgoing.Header("tenant", tenant)
	}
	if _, err := outgoing.Publish(publisher); err != nil {
		return err
	}
	slog.Info("order accepted", "orderId", order.ID, "amount", order.Amount)
	return nil
}

func init() { guest.Handle(accept) }

func main() {}
