;; A handler that does nothing: it takes the message and answers ok. What a call of it costs is the call.
(component
  (import "warren:handler/types@0.1.0" (instance $types
    (type $value' (variant
      (case "void") (case "boolean" bool) (case "integer" s64) (case "float" f64) (case "text" string)
      (case "bytes" (list u8)) (case "timestamp" u64) (case "nested" string)))
    (export "header-value" (type $value (eq $value')))
    (type $headers' (list (tuple string $value)))
    (export "headers" (type $headers (eq $headers')))
    (type $message' (record
      (field "body" (list u8)) (field "content-type" (option string)) (field "headers" $headers)
      (field "exchange" string) (field "routing-key" string) (field "queue" string) (field "consumer" string)
      (field "message-id" string) (field "correlation-id" (option string)) (field "causation-id" (option string))
      (field "reply-to" (option string)) (field "message-type" (option string)) (field "app-id" (option string))
      (field "priority" (option u8)) (field "timestamp" (option u64)) (field "attempt" u32)
      (field "max-attempts" u32) (field "redelivered" bool) (field "deadline-ms" u32)))
    (export "message" (type $message (eq $message')))
    (type $limit' (record (field "retry-after-ms" u32) (field "reason" string)))
    (export "rate-limit" (type $limit (eq $limit')))
    (type $failure' (variant
      (case "permanent" string) (case "transient" string) (case "rate-limited" $limit) (case "unauthorized" string)))
    (export "failure" (type $failure (eq $failure')))))
  (alias export $types "message" (type $message))
  (alias export $types "failure" (type $failure))
  (core module $module
    (memory (export "memory") 2)
    ;; The first bytes stay 0: they are the answer.
    (global $free (mut i32) (i32.const 64))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
      (local $at i32)
      ;; To the next multiple of 8, which suits every type.
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get $new)))
      (local.get $at))
    (func (export "handle") (param i32) (result i32)
      (global.set $free (i32.const 64))
      (i32.const 0)))
  (core instance $guest (instantiate $module))
  (func $handle (param "message" $message) (result (result (error $failure)))
    (canon lift (core func $guest "handle") (memory (core memory $guest "memory")) (realloc (core func $guest "realloc"))))
  (instance $consumer (export "handle" (func $handle)))
  (export "warren:handler/consumer@0.1.0" (instance $consumer)))
