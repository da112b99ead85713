package guest

import "unsafe"

// The arena is where the host puts what it hands over, and where we put what we hand to it: memory that Go's collector
// knows nothing of.
//
// The host may call `cabi_realloc` while the component must not call anything outside (the canonical ABI traps it then).
// A Go allocation can do just that: it may start a collection, which reads the clock. So nothing here allocates from Go's
// heap, grows a goroutine's stack, or comes near the scheduler.
//
// Reset only when nothing in it is needed any more: whatever is lifted is copied out. An instance grows with its largest
// message, not with their number.

type chunk struct {
	base, size, used uintptr
}

const (
	earlySize = 256 << 10
	firstSize = 64 << 10
)

var (
	// early serves what the adapter between Go's WASI and the component's asks for, once, while the runtime starts.
	early     [earlySize]byte
	earlyUsed uintptr
	// started: from here on allocations are of a call, and come from the arena.
	started bool

	first   [firstSize]byte
	current chunk
)

//go:linkname sbrk runtime.sbrk
func sbrk(size uintptr) unsafe.Pointer

func init() {
	current = chunk{base: uintptr(unsafe.Pointer(&first)), size: firstSize}
	started = true
}

// reallocate is the canonical ABI's. The host grows nothing that it has, but may.
//
//go:wasmexport cabi_realloc
//go:nosplit
func reallocate(old unsafe.Pointer, oldSize, alignment, size uint32) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(uintptr(alignment))
	}
	given := allocate(uintptr(size), uintptr(alignment))
	for i := uintptr(0); i < uintptr(min(oldSize, size)); i++ {
		*(*byte)(unsafe.Add(given, i)) = *(*byte)(unsafe.Add(old, i))
	}
	return given
}

// allocate never fails: out of memory is a trap.
//
//go:nosplit
func allocate(size, alignment uintptr) unsafe.Pointer {
	if !started {
		at := aligned(uintptr(unsafe.Pointer(&early))+earlyUsed, alignment)
		end := at + size - uintptr(unsafe.Pointer(&early))
		if end <= earlySize {
			earlyUsed = end
			return unsafe.Pointer(at)
		}
		return grown(size + alignment)
	}
	at := aligned(current.base+current.used, alignment)
	if end := at + size - current.base; end <= current.size {
		current.used = end
		return unsafe.Pointer(at)
	}
	// The chunk that is full stays where it is: what it holds is in use.
	room := max(size+alignment, current.size*2)
	current = chunk{base: uintptr(grown(room)), size: room}
	at = aligned(current.base, alignment)
	current.used = at + size - current.base
	return unsafe.Pointer(at)
}

//go:nosplit
func grown(size uintptr) unsafe.Pointer {
	given := sbrk(size)
	if given == nil {
		trapOutOfMemory()
	}
	return given
}

// trapOutOfMemory writes to no address that there is: the host sees a trap.
//
//go:nosplit
func trapOutOfMemory() {
	*(*byte)(unsafe.Pointer(^uintptr(0) >> 33)) = 0
}

//go:nosplit
func aligned(at, alignment uintptr) uintptr { return (at + alignment - 1) &^ (alignment - 1) }

// reset forgets all that is in the arena. The newest chunk, which is the largest, is kept.
func reset() { current.used = 0 }
