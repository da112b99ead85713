//! The host's side of `wit/`, generated.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "handler",
    imports: { default: trappable },
    exports: { default: async },
});
