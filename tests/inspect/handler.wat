;; A handler of `wasmcloud:messaging@0.2.0` that handles everything, by hand. handler.wasm is made of it once and kept,
;; because handler.wasm.minisig signs its bytes.
(component $tiny
  (import "wasi:logging/logging@0.1.0-draft" (instance))
  (type $option (option string))
  (type $bytes (list u8))
  (type $message (record (field "subject" string) (field "body" $bytes) (field "reply-to" $option)))
  (core module $m
    (memory (export "memory") 1 16)
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top (i32.add (global.get $top) (i32.add (local.get 3) (i32.const 8)))))
    (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 1024))
    (@producers (language "WebAssembly" "text") (processed-by "a hand" "1.0")))
  (core instance $i (instantiate $m))
  (func $handle (param "msg" $message) (result (result (error string)))
    (canon lift (core func $i "handle") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (component $names
    (import "message" (type $inner (eq $message)))
    (import "handle" (func $handle (param "msg" $inner) (result (result (error string)))))
    (export $named "broker-message" (type $inner))
    (export "handle-message" (func $handle) (func (param "msg" $named) (result (result (error string))))))
  (instance $handler (instantiate $names (with "message" (type $message)) (with "handle" (func $handle))))
  (export "wasmcloud:messaging/handler@0.2.0" (instance $handler)))
