// `notifyCustomer`: tells the customer, and tells the rest of the company that it did.
//
// Keeps nothing. The mail that a real one sends would carry the message's id, so that a second one is not delivered.
package main

import (
	"fmt"

	"warren.local/guest"
)

// Notice is either event of the exchange `shop-notifications`; its type tells them apart.
type Notice struct {
	Type        string `json:"type"`
	OrderID     string `json:"orderId"`
	UserID      string `json:"userId"`
	AmountCents int64  `json:"amountCents,omitempty"`
	Currency    string `json:"currency,omitempty"`
	Items       []Item `json:"items,omitempty"`
}

// Item is goods that were put aside.
type Item struct {
	Quantity int64 `json:"quantity"`
}

// Notified is what it publishes.
type Notified struct {
	OrderID string `json:"orderId"`
	UserID  string `json:"userId"`
	About   string `json:"about"`
	Text    string `json:"text"`
}

func notify(notice Notice, _ *guest.Message) error {
	text, err := textOf(notice)
	if err != nil {
		return err
	}
	_, err = guest.Publish("customerNotified", Notified{notice.OrderID, notice.UserID, notice.Type, text})
	return err
}

func textOf(notice Notice) (string, error) {
	switch notice.Type {
	case "paymentSettled":
		euros, cents := notice.AmountCents/100, notice.AmountCents%100
		return fmt.Sprintf("We received your payment of %d.%02d %s.", euros, cents, notice.Currency), nil
	case "inventoryReserved":
		pieces := int64(0)
		for _, item := range notice.Items {
			pieces += item.Quantity
		}
		return fmt.Sprintf("%d pieces are put aside for you.", pieces), nil
	default:
		return "", guest.Permanent("there is nothing to say about `%s`", notice.Type)
	}
}

func init() { guest.Handle(notify) }

func main() {}
