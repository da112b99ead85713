package guest

import (
	"fmt"
	"math"
	"reflect"
)

// integerOf takes any integer that fits a header.
func integerOf(value any) (int64, error) {
	of := reflect.ValueOf(value)
	switch {
	case of.CanInt():
		return of.Int(), nil
	case of.CanUint():
		if of.Uint() > math.MaxInt64 {
			return 0, fmt.Errorf("%d does not fit 64 bits with a sign", of.Uint())
		}
		return int64(of.Uint()), nil
	default:
		return 0, fmt.Errorf("a header cannot hold a %T", value)
	}
}
