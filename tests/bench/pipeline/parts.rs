//! The same steps by the clock on the wall, with divan: how they are spread, and how they grow with the body.

use divan::Bencher;
use divan::counter::BytesCount;
use tokio::runtime::{Builder, Runtime};

use crate::step::{Guest, Isolation, Step};
use crate::steps::Pipeline;

const SIZES: [usize; 2] = [256, 1024];

/// A pipeline on this thread.
struct Here {
    runtime: Runtime,
    heavy: Runtime,
    pipeline: Pipeline,
}

impl Here {
    fn new(size: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let heavy = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let pipeline = runtime.block_on(Pipeline::new(size, heavy.handle())).expect("the host loads");
        Self { runtime, heavy, pipeline }
    }
}

#[divan::bench(args = SIZES)]
fn decode(bencher: Bencher<'_, '_>, size: usize) {
    let Here { runtime: _runtime, heavy: _heavy, pipeline } = Here::new(size);
    bencher.with_inputs(|| pipeline.delivery()).bench_local_values(|delivery| pipeline.decode(delivery));
}

#[divan::bench(args = [256, 1024, 16 * 1024])]
fn validate(bencher: Bencher<'_, '_>, size: usize) {
    let Here { runtime: _runtime, heavy: _heavy, pipeline } = Here::new(size);
    bencher.counter(BytesCount::new(size)).bench_local(|| pipeline.validate().expect("a valid order"));
}

#[divan::bench(args = SIZES)]
fn print(bencher: Bencher<'_, '_>, size: usize) {
    let Here { runtime: _runtime, heavy: _heavy, pipeline } = Here::new(size);
    bencher.bench_local(|| pipeline.print());
}

#[divan::bench]
fn decide(bencher: Bencher<'_, '_>) {
    let Here { runtime: _runtime, heavy: _heavy, pipeline } = Here::new(SIZES[0]);
    bencher.bench_local(|| pipeline.decide());
}

#[divan::bench(args = SIZES)]
fn call_fresh(bencher: Bencher<'_, '_>, size: usize) {
    call(bencher, size, Isolation::Fresh);
}

#[divan::bench(args = SIZES)]
fn call_reuse(bencher: Bencher<'_, '_>, size: usize) {
    call(bencher, size, Isolation::Reuse);
}

fn call(bencher: Bencher<'_, '_>, size: usize, isolation: Isolation) {
    let Here { runtime, heavy: _heavy, pipeline } = Here::new(size);
    let subscribed = pipeline.subscribed(Step::Call(Guest::Noop, isolation)).expect("the consumer");
    bencher.bench_local(|| runtime.block_on(pipeline.call(&subscribed)).expect("a call"));
}

#[divan::bench(args = SIZES)]
fn path_fresh(bencher: Bencher<'_, '_>, size: usize) {
    path(bencher, size, Isolation::Fresh);
}

#[divan::bench(args = SIZES)]
fn path_reuse(bencher: Bencher<'_, '_>, size: usize) {
    path(bencher, size, Isolation::Reuse);
}

fn path(bencher: Bencher<'_, '_>, size: usize, isolation: Isolation) {
    let Here { runtime, heavy: _heavy, mut pipeline } = Here::new(size);
    let subscribed = pipeline.subscribed(Step::Path(Guest::Noop, isolation)).expect("the consumer");
    bencher.bench_local(|| {
        let delivery = pipeline.delivery();
        runtime.block_on(pipeline.path(&subscribed, delivery)).expect("an ack");
    });
}
