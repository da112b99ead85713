//! Publishes its payload through `echoed`, with `attempt` and `redelivered` of the message added.

use behaviours::echo;
use warren_guest::handler;

handler!(echo);
