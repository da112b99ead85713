//! Limits that contradict each other: delays and times to live, memory and what may be in flight, names that the host
//! needs itself.

use std::time::Duration;

use super::super::super::problem::{Problem, enough};
use super::super::super::source::join;
use super::super::super::{Contract, Queue, Retry};
use crate::topology::wait_queue_name;

const MIB: u64 = 1024 * 1024;

pub(super) fn check(contract: &Contract, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let consumed = contract.consumers.values().filter_map(|consumer| contract.queues.get(&consumer.queue));
    for queue in consumed {
        if enough(problems) {
            return;
        }
        problems.extend(expires_while_it_waits(queue));
        if let Retry::TtlBackoff(backoff) = &queue.retry {
            for tier in backoff.tiers_ms() {
                let wait_queue = wait_queue_name(&queue.name, tier);
                if contract.queues.contains_key(&wait_queue) {
                    problems.push(
                        Problem::at(
                            join("/queues", &wait_queue),
                            format!("`{wait_queue}` is the name of a wait queue of `{}`", queue.name),
                        )
                        .on_key()
                        .because(
                            "its retries wait there, and what else was in it would be handled as one of them",
                        )
                        .hint("leave it out: it is declared by itself; or give this queue another name"),
                    );
                }
            }
        }
    }
    memory(contract, problems, warnings);
}

/// A message that is older than its queue allows when its delay is over.
fn expires_while_it_waits(queue: &Queue) -> Option<Problem> {
    let ttl = queue.message_ttl?;
    let longest = match &queue.retry {
        Retry::TtlBackoff(backoff) => backoff
            .tiers_ms()
            .into_iter()
            .map(|tier| Duration::from_millis(backoff.longest_ms(tier)))
            .max()?,
        Retry::NativeDelay { max_retries, initial_delay, max_delay } if *max_retries > 0 => {
            initial_delay.saturating_mul(*max_retries).min(*max_delay)
        }
        Retry::NativeDelay { .. } | Retry::None | Retry::QuorumNative { .. } => return None,
    };
    (longest > ttl).then(|| {
        Problem::at(
            join(&join("/queues", &queue.name), "retry"),
            format!("a retry of `{}` may wait {} ms, longer than its messages live", queue.name, longest.as_millis()),
        )
        .because(format!("`messageTtlMs` is {}: what is too old for the queue would be tried again all the same, or expire while it waits", ttl.as_millis()))
        .hint("a smaller `maxDelayMs` (jitter makes up to 1.5 times of it), or a larger `messageTtlMs`")
    })
}

/// Prefetched messages are in memory, each as large as its kind may be.
fn memory(contract: &Contract, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let budget = contract.memory_bytes_max;
    let mut sum: u64 = 0;
    let mut within = true;
    for consumer in contract.consumers.values() {
        let worst = u64::from(consumer.prefetch).saturating_mul(consumer.message.max_body_bytes);
        sum = sum.saturating_add(worst);
        if worst > budget {
            within = false;
            problems.push(
                Problem::at(
                    join(&join("/consumers", &consumer.name), "prefetch"),
                    format!(
                        "`{}` may hold {} MiB of messages, and the host may use {} MiB",
                        consumer.name,
                        worst / MIB,
                        budget / MIB
                    ),
                )
                .because(format!(
                    "{} messages ahead, of up to {} bytes each",
                    consumer.prefetch, consumer.message.max_body_bytes
                ))
                .hint("a smaller `prefetch` or `maxBodyBytes`, or a larger `memoryMiB` of the contract"),
            );
        }
    }
    if sum > budget && within {
        warnings.push(
            Problem::warning(
                "memory-in-sum",
                "/consumers",
                format!(
                    "the consumers together may hold {} MiB of messages, and the host may use {} MiB",
                    sum / MIB,
                    budget / MIB
                ),
            )
            .on_key()
            .because("each of them alone fits, all of them full of their largest messages do not")
            .hint(
                "smaller `maxBodyBytes` of the messages say what they really need; or a larger `memoryMiB`",
            ),
        );
    }
}
