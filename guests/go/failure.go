package guest

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Class says what kind of failure an error is.
type Class uint8

const (
	// ClassPermanent: no retry can help.
	ClassPermanent Class = iota
	// ClassTransient: a retry may help.
	ClassTransient
	// ClassRateLimited: a retry will help, but not before a time.
	ClassRateLimited
	// ClassUnauthorized: we were not allowed to.
	ClassUnauthorized
)

// Failure is an error that says what is to become of the message. Its text goes into the log and, if it comes to that,
// the dead letter. An error that is not a Failure, and does not wrap one, is transient.
type Failure struct {
	Class      Class
	RetryAfter time.Duration // with ClassRateLimited
	cause      error
}

func (f *Failure) Error() string { return f.cause.Error() }

// Unwrap gives the errors in it, of `%w` in its format.
func (f *Failure) Unwrap() error { return errors.Unwrap(f.cause) }

// Permanent makes a failure that no retry can help: the message is dead-lettered now.
func Permanent(format string, arguments ...any) error {
	return fail(ClassPermanent, 0, format, arguments)
}

// Transient makes a failure that a retry may help.
func Transient(format string, arguments ...any) error {
	return fail(ClassTransient, 0, format, arguments)
}

// RateLimited makes a failure that a retry will help, but not sooner than the time given (rounded up to a millisecond,
// at most 49 days).
func RateLimited(retryAfter time.Duration, format string, arguments ...any) error {
	return fail(ClassRateLimited, retryAfter, format, arguments)
}

// Unauthorized makes a failure for what we were not allowed to: the message is dead-lettered now, and a human is told.
func Unauthorized(format string, arguments ...any) error {
	return fail(ClassUnauthorized, 0, format, arguments)
}

func fail(class Class, retryAfter time.Duration, format string, arguments []any) error {
	return &Failure{Class: class, RetryAfter: retryAfter, cause: fmt.Errorf(format, arguments...)}
}

// ClassOf says what the host is told of an error.
func ClassOf(err error) Class {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure.Class
	}
	return ClassTransient
}

// retryAfterMS is how long an error asks to wait, in the unit of the WIT package.
func retryAfterMS(err error) uint32 {
	var failure *Failure
	if !errors.As(err, &failure) || failure.RetryAfter <= 0 {
		return 0
	}
	ms := (failure.RetryAfter-1)/time.Millisecond + 1
	return uint32(min(int64(ms), math.MaxUint32))
}
