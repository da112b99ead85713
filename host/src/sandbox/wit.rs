//! The host's side of `wit/`, generated.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "handler",
    imports: { default: trappable },
    exports: { default: async },
    // A message is lowered from where it is.
    ownership: Borrowing { duplicate_if_necessary: true },
});
