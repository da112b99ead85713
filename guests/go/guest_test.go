package guest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"warren.local/guest"
	"warren.local/guest/guesttest"
)

type order struct {
	ID      string            `json:"id"`
	Items   []item            `json:"items"`
	Coupon  *string           `json:"coupon"`
	Notes   []string          `json:"notes,omitempty"`
	Prices  map[string]*price `json:"prices,omitzero"`
	Address `json:"address"`
	Inlined
	When     *time.Time `json:"when"`
	hidden   string
	Unmapped string `json:"-"`
}

type item struct {
	Price float64 `json:"price"`
}

type price struct {
	Cents int64 `json:"cents"`
}

type Address struct{ Street string }

type Inlined struct {
	Tag string `json:"tag"`
}

const whole = `{"id":"o","items":[{"price":1}],"address":{"Street":"s"},"tag":"t","more":[1,{"x":null}]}`

func TestABodyThatFitsIsRead(t *testing.T) {
	read, err := guest.Decode[order]([]byte(whole))
	if err != nil || read.ID != "o" || read.Items[0].Price != 1 || read.Street != "s" || read.Tag != "t" {
		t.Fatal(read, err)
	}
	if raw, err := guest.Decode[guest.Raw]([]byte{0xFF}); err != nil || raw[0] != 0xFF {
		t.Fatal(raw, err)
	}
	for _, body := range []string{`null`, `7`, `{"a":null}`} {
		if _, err := guest.Decode[any]([]byte(body)); err != nil {
			t.Error(body, err)
		}
	}
}

func TestABodyThatDoesNotFitSaysWhere(t *testing.T) {
	for old, cases := range map[string][][2]string{
		whole: {{``, "payload: unexpected end of JSON input"}, {`7`, "payload: "}, {`null`, "payload: `the body` is null"},
			{"\"\xFF\"", "payload: not UTF-8"}, {`"\ud83d"`, "payload: half of a surrogate pair at byte 1"},
			{`"\\\udc07"`, "payload: half of a surrogate pair at byte 3"}, {`"\ud83d\u0041"`, "payload: half of"}},
		`"id":"o",`:      {{``, "payload: `id` is missing"}, {`"ID":"o",`, "payload: `id` is missing"}, {`"id":null,`, "payload: `id` is null"}},
		`"price":1`:      {{``, "payload: `items[0].price` is missing"}, {`"price":"1"`, "payload: "}},
		`{"Street":"s"}`: {{`{}`, "payload: `address.Street` is missing"}},
		`"tag":"t"`:      {{`"tag":null`, "payload: `tag` is null"}},
		`[{"price":1}]`:  {{`null`, "payload: `items` is null"}, {`[null]`, "payload: `items[0]` is null"}},
		`"more":`:        {{`"prices":{"a":null,"b":{}},"more":`, "payload: `prices.b.cents` is missing"}},
	} {
		for _, c := range cases {
			body := strings.Replace(whole, old, c[0], 1)
			_, err := guest.Decode[order]([]byte(body))
			if err == nil || !strings.HasPrefix(err.Error(), c[1]) || guest.ClassOf(err) != guest.ClassPermanent {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
	folded := strings.Replace(whole, `{"price":1}`, `{"PRICE":"x","price":2},{"Price":null,"price":3}`, 1)
	folded = strings.Replace(folded, `"id":"o"`, `"ID":7,"id":"exact"`, 1)
	if read, err := guest.Decode[order]([]byte(folded)); err != nil || read.ID != "exact" || read.Items[1].Price != 3 {
		t.Error(read, err)
	}
	fine := strings.Replace(whole, `"id":"o"`, `"id":"\ud83d\udc07 \\ud83d","coupon":null,"notes":null,"when":null`, 1)
	if read, err := guest.Decode[order]([]byte(fine)); err != nil || read.ID != `🐇 \ud83d` {
		t.Error(read, err)
	}
}

func TestAnErrorNobodyClassifiedIsTransient(t *testing.T) {
	cause := errors.New("connection refused")
	if class := guest.ClassOf(cause); class != guest.ClassTransient {
		t.Error(class)
	}
	wrapped := fmt.Errorf("paying: %w", guest.Permanent("no such order: %w", cause))
	if guest.ClassOf(wrapped) != guest.ClassPermanent || !errors.Is(wrapped, cause) {
		t.Error(wrapped)
	}
	if wrapped.Error() != "paying: no such order: connection refused" {
		t.Error(wrapped)
	}
}

func TestWhatCannotBePublishedSaysWhy(t *testing.T) {
	host := guesttest.New(t)
	host.Deny("known")
	for publisher, text := range map[string]string{"known": "not granted", "other": "unknown publisher"} {
		_, err := guest.Publish(publisher, 1)
		var refusal *guest.Refusal
		if !errors.As(err, &refusal) || guest.ClassOf(err) != guest.ClassPermanent || err.Error() != "publishing was refused: "+text {
			t.Error(err)
		}
	}
	if _, err := guest.Publish("known", math.NaN()); err == nil || guest.ClassOf(err) != guest.ClassPermanent {
		t.Error(err)
	}
}

func TestLogLinesGoToTheHost(t *testing.T) {
	guest.Handle(func(any, *guest.Message) error { return nil })
	host := guesttest.New(t)
	slog.Info("one", "id", 7, slog.Group("user", "name", "Ada"))
	slog.With("a", 1).WithGroup("g").Error("two", "b", errors.New("no"))
	slog.Log(t.Context(), slog.LevelDebug-4, "three")
	log.Print("four")
	expected := "info: one id=7 user.name=Ada|error: two a=1 g.b=no|trace: three|info: four"
	if said := strings.Join(host.Logged, "|"); said != expected {
		t.Error(said)
	}
}

func FuzzABodyIsReadOrRefusedAsPermanent(f *testing.F) {
	for _, seed := range []string{whole, `{"items":[null]}`, `"\ud83d"`, "\"\\", `{"ID":1,"id":"o"}`, `[{"price":1}]`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := guest.Decode[order](body)
		if err != nil && (guest.ClassOf(err) != guest.ClassPermanent || !strings.HasPrefix(err.Error(), "payload: ")) {
			t.Error(err)
		}
		if err == nil && !json.Valid(body) {
			t.Error("taken, and no JSON")
		}
	})
}
