//! The Rust side of `wit/handler.wit`, generated. The only place of this crate with unsafe code.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::doc_markdown,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "handler",
    with: { "warren:handler/types@0.1.0/failure": crate::Failure },
    additional_derives: [PartialEq],
    additional_type_attributes: { "warren:handler/types@0.1.0/outgoing": [#[derive(Default)]] },
    export_macro_name: "__export_component",
    pub_export_macro: true,
});
