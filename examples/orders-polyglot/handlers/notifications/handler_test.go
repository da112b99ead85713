package main

import (
	"testing"

	"warren.local/guest"
	"warren.local/guest/guesttest"
)

func TestTheCustomerHearsOfIt(t *testing.T) {
	host := guesttest.New(t)
	host.Grant("customerNotified")
	for body, text := range map[string]string{
		`{"type":"paymentSettled","orderId":"o","userId":"u","amountCents":1890,"currency":"EUR","attempts":1}`: "We received your payment of 18.90 EUR.",
		`{"type":"inventoryReserved","orderId":"o","userId":"u","items":[{"quantity":2},{"quantity":1}]}`:       "3 pieces are put aside for you.",
	} {
		host.Published = nil
		if err := guesttest.Handle(notify, guesttest.Message(body)); err != nil {
			t.Fatal(err)
		}
		notified, err := guest.Decode[Notified](host.Published[0].Body)
		if err != nil || notified.Text != text || notified.OrderID != "o" {
			t.Error(notified, err)
		}
	}
}

func TestWhatIsUnknownIsPermanent(t *testing.T) {
	guesttest.New(t)
	err := guesttest.Handle(notify, guesttest.Message(`{"type":"refund","orderId":"o","userId":"u"}`))
	if err == nil || guest.ClassOf(err) != guest.ClassPermanent {
		t.Error(err)
	}
}
