//! The real binary against a real RabbitMQ. Each test has a vhost of its own and accounts for every message in it.
//!
//! The broker is the one that `WARREN_AMQP_URL` and `WARREN_MANAGEMENT_URL` name, or else the project's own
//! (`scripts/broker`), started if need be. By subject:
//!
//! - `handling`: a message that is handled, and what the handler is told and may publish.
//! - `outcomes`: failures and faults: retries, dead letters.
//! - `bodies`: messages that the contract does not allow.
//! - `publishing`: outputs and dead letters that may not be published, or that the broker does not take.
//! - `startup`: contracts, components and brokers that keep a host from starting.
//! - `language`: what the contract language can say beside that, carried out.
//! - `border`: every field, header and failure of C and Go.
//! - `checking`: `warren check`.
//! - `conformance`: the template of every guest language, held against one table.
//! - `at_most_once`: consumers that are acked on receipt.
//! - `io_bound`: a thousand messages that wait at once.
//! - `capabilities`, `http`, `key_value`: what handlers are granted beside their messages.
//! - `connections`: lost connections, killed hosts, deleted queues.
//! - `addresses`: several addresses of the broker, and credentials that are taken away.
//! - `tls`: TLS, mutual TLS, and what is wrong with certificates.
//! - `shutdown`: stopping.
//! - `hostile`: handlers that mean harm; `neighbours`: what others lose to them (`make bench-hostile`).
//! - `sandbox`: what handlers may use, and what instances keep.
//! - `planning`: `warren plan` and `warren apply`.
//! - `applied`: what the broker reports after `apply`, for every contract of the corpus.
//! - `native_delay`: retries that the broker delays, and brokers that cannot.
//! - `polyglot`: the order system with each handler in another language.
//! - `peers`: what was measured of peers, with Warren in their place.
//! - `publish_command`: `warren publish`.
//! - `diff_command`: `warren diff` and `warren schema`.
//! - `documents`: `warren asyncapi` and `warren import`.
//! - `publish_command`, `explain`, `topology`: the commands `warren publish`, `warren explain`, `warren topology`.
//! - `worlds`: components that were built for other hosts.
//! - `inspecting`: `warren inspect`, signatures, and the compile cache.
//! - `routing`: the ways of messages, as the contract tells them and as the broker goes them.

mod addresses;
mod applied;
mod at_most_once;
mod bodies;
mod border;
mod capabilities;
mod checking;
mod conformance;
mod connections;
mod diff_command;
mod documents;
mod explain;
mod handling;
mod hostile;
mod http;
mod inspecting;
mod io_bound;
mod key_value;
mod language;
mod native_delay;
mod neighbours;
mod outcomes;
mod peers;
mod planning;
mod polyglot;
mod publish_command;
mod publishing;
mod routing;
mod sandbox;
mod shutdown;
mod startup;
mod support;
mod tls;
mod topology;
mod worlds;
