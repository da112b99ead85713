//! What the demo prints before and after: the mix of orders, the table of endings, the verdict, and where to go next.

use std::path::Path;
use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::ledger::{Fate, Ledger};
use crate::options::Options;
use crate::orders::{Defect, Kind};
use crate::watch::Watch;

/// How many discrepancies are named one by one.
const NAMED_MAX: usize = 10;

/// States what is about to be published.
pub(crate) fn mix(run: &str, kinds: &[Kind]) {
    let count = |wanted: Kind| kinds.iter().filter(|kind| **kind == wanted).count();
    let defect = |defect: Defect| count(Kind::Invalid(defect));
    let invalid = kinds.iter().filter(|kind| matches!(kind, Kind::Invalid(_))).count();
    println!("run {run}: {} orders, {} of them good, and", kinds.len(), count(Kind::Good));
    println!(
        "  {invalid:>5} invalid: {} not JSON, {} with a negative quantity, {} without a user, {} without items",
        defect(Defect::NotJson),
        defect(Defect::NegativeQuantity),
        defect(Defect::NoUser),
        defect(Defect::NoItems),
    );
    for (kind, says) in [
        (Kind::Busy, "find the payment gateway busy, twice"),
        (Kind::Declined, "have their card declined"),
        (Kind::Hang, "make the client of the gateway loop for ever"),
        (Kind::Crash, "make it panic"),
        (Kind::Discontinued, "ask for what is out of stock"),
    ] {
        println!("  {:>5} {says}", count(kind));
    }
}

/// The table of endings: owed and found, one row for each kind of ending.
pub(crate) fn account(ledger: &Ledger) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["of the", "ending", "owed", "found", "1 attempt", "2", "3", "4"].map(Cell::new));
    let mut branch = "";
    let mut totals = (0, 0);
    for fate in Fate::ALL {
        let (owed, found) = ledger.row(fate);
        let found_all: usize = found.iter().sum();
        totals = (totals.0 + owed, totals.1 + found_all);
        let first = if fate.branch() == branch { "" } else { fate.branch() };
        branch = fate.branch();
        let mut row =
            vec![first.to_owned(), fate.title().to_owned(), owed.to_string(), found_all.to_string()];
        row.extend(
            found[1..].iter().map(|count| if *count == 0 { String::new() } else { count.to_string() }),
        );
        table.add_row(row);
    }
    table.add_row(["", "all", &totals.0.to_string(), &totals.1.to_string(), "", "", "", ""]);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("\n{table}");
}

/// What was found, in sentences; whether all is as it should be.
pub(crate) fn verdict(run: &str, ledger: &Ledger, watch: &Watch, elapsed: Duration) -> bool {
    let (kills, deaths) = watch.lives_lost();
    println!(
        "{elapsed:.1?} from the first order to the last ending. The host was killed {kills} times, and died by itself \
         {deaths} times."
    );
    let duplicates = ledger.duplicates();
    if duplicates > 0 {
        println!(
            "{duplicates} endings were told once more, under the same message id, as a kill between confirm and \
             acknowledgement does."
        );
    }
    let discrepancies = ledger.discrepancies();
    if discrepancies.is_empty() {
        println!("Every order is accounted for: nothing was lost.");
        return true;
    }
    println!("FAILED: {} endings are not as they should be:", discrepancies.len());
    for discrepancy in discrepancies.iter().take(NAMED_MAX) {
        println!("  {run}-{}: {}", discrepancy.order, discrepancy.says);
    }
    false
}

/// What to try next.
pub(crate) fn next(options: &Options, folder: &Path) {
    let (warren, contract) = (options.warren.display(), options.contract.display());
    println!(
        "
Next:
  make demo KILLS=20      the same, with the host killed 20 times in the middle of its work
  {warren} check {contract}
                          is the contract sound? Break it, and ask again
  examples/orders/README.md, examples/orders/handlers
                          what this is, and how a handler is written
  {}
                          what the host logged
  eval \"$(scripts/broker env)\"
  curl -s -u guest:guest \"$WARREN_MANAGEMENT_URL/api/queues/%2f/dead-letters/get\" \\
      -d '{{\"count\":3,\"ackmode\":\"ack_requeue_true\",\"encoding\":\"auto\"}}'
                          three dead letters with why they are dead; they stay where they are",
        folder.join("host.log").display(),
    );
}
