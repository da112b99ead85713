// Lets a Go file declare a function without a body: `sbrk`, which is the runtime's.
