// Looks at the sandbox from within, for the tests of Warren: reports all of the message that it was given, with the same
// headers, or ends as the task says.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"warren.local/guest"
)

// header names the case of a value: {"text": "x"}; "void".
func header(value any) any {
	switch value := value.(type) {
	case nil:
		return "void"
	case bool:
		return map[string]any{"boolean": value}
	case int64:
		return map[string]any{"integer": value}
	case float64:
		return map[string]any{"float": value}
	case string:
		return map[string]any{"text": value}
	case []byte:
		numbers := []int{}
		for _, b := range value {
			numbers = append(numbers, int(b))
		}
		return map[string]any{"bytes": numbers}
	case guest.Timestamp:
		return map[string]any{"timestamp": uint64(value)}
	case guest.Nested:
		return map[string]any{"nested": string(value)}
	default:
		panic(fmt.Sprintf("a header that is a %T", value))
	}
}

func report(m *guest.Message) error {
	headers := map[string]any{}
	for name, value := range m.Headers {
		headers[name] = header(value)
	}
	told, err := guest.JSON(map[string]any{
		"body": string(m.Body), "contentType": m.ContentType, "headers": headers, "exchange": m.Exchange,
		"routingKey": m.RoutingKey, "queue": m.Queue, "consumer": m.Consumer, "messageId": m.MessageID,
		"correlationId": m.CorrelationID, "causationId": m.CausationID, "replyTo": m.ReplyTo,
		"messageType": m.MessageType, "appId": m.AppID, "priority": m.Priority, "timestamp": m.Timestamp,
		"attempt": m.Attempt, "maxAttempts": m.MaxAttempts, "redelivered": m.Redelivered, "deadlineMs": m.DeadlineMS,
	})
	if err != nil {
		return err
	}
	expiration, priority := uint32(600000), uint8(7)
	told.Headers = m.Headers
	told.CorrelationID, told.MessageType, told.ReplyTo = "its own", "report", "nobody"
	told.ExpirationMS, told.Priority = &expiration, &priority
	_, err = told.Publish("echoed")
	return err
}

// busy publishes from several goroutines, with timers on their way and garbage to collect: whatever makes the runtime
// look at the clock, which it must not do while the host hands something over.
func busy(m *guest.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	time.AfterFunc(time.Hour, cancel)
	var all sync.WaitGroup
	failures := make([]error, 4)
	for i := range failures {
		all.Add(1)
		go func() {
			defer all.Done()
			garbage := []string{}
			for size := range 500 {
				garbage = append(garbage, strings.Repeat("x", size))
			}
			_, failures[i] = guest.Publish("echoed", map[string]any{"of": m.MessageID, "n": i, "size": len(garbage)})
			slog.Debug("published", "n", i, "left", ctx.Err() == nil)
		}()
	}
	all.Wait()
	time.Sleep(time.Millisecond)
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

func check(body guest.Raw, m *guest.Message) error {
	var wanted struct{ Task string }
	if err := json.Unmarshal(body, &wanted); err != nil {
		return guest.Permanent("%w", err)
	}
	switch wanted.Task {
	case "":
		return report(m)
	case "busy":
		return busy(m)
	case "panic":
		panic("on purpose")
	case "deadlock":
		<-make(chan int)
	case "exit":
		os.Exit(0)
	case "header":
		_, err := (&guest.Outgoing{}).Header("h", make(chan int)).Publish("echoed")
		return err
	case "memory":
		for kept := [][]byte{}; ; {
			kept = append(kept, make([]byte, 1<<20))
			kept[len(kept)-1][0] = 1
		}
	}
	fmt.Println("said by fmt")
	return guest.Permanent("\xFF is not UTF-8")
}

func init() { guest.Handle(check) }

func main() {}
