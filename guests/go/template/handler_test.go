package main

import (
	"strings"
	"testing"

	"warren.local/guest"
	"warren.local/guest/guesttest"
)

func order(customer string) *guest.Message {
	return guesttest.Message(`{"orderId": "o-1", "amount": 1890, "customer": "` + customer + `"}`)
}

func TestAnOrderIsAccepted(t *testing.T) {
	host := guesttest.New(t)
	host.Grant("orderAccepted")
	message := order("Ada")
	message.Headers["tenant"] = "north"
	if err := guesttest.Handle(accept, message); err != nil {
		t.Fatal(err)
	}
	published := host.Published[0]
	if body := string(published.Body); body != `{"orderId":"o-1","amount":1890,"customer":"Ada","attempt":1}` {
		t.Error(body)
	}
	if published.Headers["source"] != "template" || published.Headers["tenant"] != "north" {
		t.Error(published.Headers)
	}
	if host.Logged[0] != "info: order accepted orderId=o-1 amount=1890" {
		t.Error(host.Logged)
	}
}

func TestANoteComesOutAsItWentIn(t *testing.T) {
	host := guesttest.New(t)
	host.Grant("orderAccepted")
	message := guesttest.Message(`{"orderId":"o","amount":1,"customer":"Ada","note":"caf\u00e9 🐇 <&> \"quoted\" \u0000"}`)
	if err := guesttest.Handle(accept, message); err != nil {
		t.Fatal(err)
	}
	if body := string(host.Published[0].Body); !strings.HasSuffix(body, `"note":"café 🐇 <&> \"quoted\" \u0000"}`) {
		t.Error(body)
	}
}

func TestWhatIsNoOrderIsPermanent(t *testing.T) {
	guesttest.New(t)
	for _, body := range []string{
		``, `{`, `7`, `null`, `{"orderId": "o-1"}`, `{"orderId": 1, "amount": 1, "customer": "Ada"}`,
		`{"orderId": "o", "amount": null, "customer": "Ada"}`, `{"orderId": "o", "amount": 1.5, "customer": "Ada"}`,
		`{"orderId": "o", "amount": 1, "customer": "Ada", "note": 7}`, `{"orderId": "\ud800", "amount": 1, "customer": "A"}`,
	} {
		err := guesttest.Handle(accept, guesttest.Message(body))
		if err == nil || guest.ClassOf(err) != guest.ClassPermanent || !strings.HasPrefix(err.Error(), "payload: ") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestFailuresHaveTheirClasses(t *testing.T) {
	host := guesttest.New(t)
	host.Grant("orderAccepted")
	for customer, class := range map[string]guest.Class{
		"busy": guest.ClassRateLimited, "flaky": guest.ClassTransient, "forbidden": guest.ClassUnauthorized,
	} {
		if err := guesttest.Handle(accept, order(customer)); err == nil || guest.ClassOf(err) != class {
			t.Errorf("%s: %v", customer, err)
		}
	}
	again := order("flaky")
	again.Attempt = 2
	if err := guesttest.Handle(accept, again); err != nil {
		t.Error(err)
	}
	free := guesttest.Message(`{"orderId": "o-1", "amount": 0, "customer": "Ada"}`)
	if err := guesttest.Handle(accept, free); err == nil || err.Error() != "amount must be positive" {
		t.Error(err)
	}
}

func TestARefusedMessageIsPermanent(t *testing.T) {
	host := guesttest.New(t)
	host.Deny("auditTrail")
	err := guesttest.Handle(accept, order("unlisted"))
	if err == nil || guest.ClassOf(err) != guest.ClassPermanent || err.Error() != "publishing was refused: not granted" {
		t.Error(err)
	}
}
