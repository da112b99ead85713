//! Warren runs RabbitMQ consumers as WebAssembly components.
//!
//! A handler says what a message means; the contract file says what happens to it. The rooms, in reading order:
//!
//! - `contract`: text -> a checked contract, or every problem at once. Pure.
//! - `topology`: contract -> exchanges, queues and bindings. Pure.
//! - `diff`: two contracts -> what changed, and whom it breaks. Pure.
//! - `plan`: topology and what a broker has -> what to change, and in which order. Pure.
//! - `policy`: outcome and attempt -> what becomes of a delivery. Pure.
//! - `asyncapi`: contract -> AsyncAPI document. Pure.
//! - `import`: AsyncAPI document, or RabbitMQ definitions -> contract. Pure.
//! - `yaml`: a tree of values as YAML. Pure.
//! - `explain`: where a message goes, and what happens to it there. Pure.
//! - `text`: texts for people at a terminal. Pure.
//! - `message`: a message, free of any library's types.
//! - `metrics`: what is counted.
//! - `sandbox`: component -> handler -> outcome. The only room that names wasmtime.
//! - `broker`: connect, look, declare, consume, publish, settle. The only room that names lapin.
//! - `dispatch`: one delivery from arrival to settlement.
//! - `load`: reads contract, schemas and components from disk.
//! - `run`: the composition root: start-up, epochs, drain.
//! - `admin`: health and metrics over HTTP.
//! - `cli`: the commands.
//! - `failpoint`: where tests may kill the host; nothing in the binary that is shipped.
//!
//! Invariants: nothing is acked before what replaces it is confirmed and was not returned. A trap publishes nothing.
//! An unknown outcome is never success. A host fault costs no attempt. A delivery is settled once, by value, in the
//! epoch it came from. Every await on the broker has a timeout, and a timeout never leads to an ack.

pub mod admin;
pub mod asyncapi;
pub mod broker;
pub mod cli;
pub mod contract;
pub mod diff;
pub mod dispatch;
pub mod explain;
mod failpoint;
pub mod import;
pub mod load;
pub mod message;
pub mod metrics;
pub mod plan;
pub mod policy;
pub mod run;
pub mod sandbox;
pub mod text;
#[cfg(test)]
mod tidy;
pub mod topology;
pub mod yaml;
