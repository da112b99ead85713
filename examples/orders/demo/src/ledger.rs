//! The books: which endings are owed for the orders that were published, and which were found.
//!
//! Pure. An order has two branches, payment and inventory; each ends well or in a dead letter, and what ends well owes
//! a word to the customer. Every ending that is owed is an account of its own.

use std::collections::BTreeMap;

use crate::orders::Kind;

/// A part of what happens to an order that has an ending of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Branch {
    Payment,
    Inventory,
    PaymentNotice,
    InventoryNotice,
}

/// How a branch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Settled,
    Reserved,
    Notified,
    DeadLetter { queue: String, class: String },
}

/// What was found at the broker.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    /// The order's number, from 1.
    pub(crate) order: usize,
    pub(crate) branch: Branch,
    pub(crate) ending: Ending,
    /// How many attempts it took, where that is told.
    pub(crate) attempts: Option<u64>,
    pub(crate) message_id: String,
}

/// The ending that is owed for a branch of an order: one row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    PaidAtOnce,
    PaidThirdTime,
    Declined,
    Hung,
    Crashed,
    PaymentOfInvalid,
    Reserved,
    OutOfStock,
    InventoryOfInvalid,
    ToldOfPayment,
    ToldOfReservation,
}

/// An ending that is not as it should be.
#[derive(Debug)]
pub(crate) struct Discrepancy {
    pub(crate) order: usize,
    pub(crate) says: String,
}

#[derive(Debug, Default)]
struct Account {
    owed: Option<Fate>,
    found: Vec<Evidence>,
}

/// All accounts of a run.
#[derive(Debug)]
pub(crate) struct Ledger {
    accounts: BTreeMap<(usize, Branch), Account>,
    owed: usize,
    ended: usize,
}

impl Fate {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 11] = [
        Self::PaidAtOnce,
        Self::PaidThirdTime,
        Self::Declined,
        Self::Hung,
        Self::Crashed,
        Self::PaymentOfInvalid,
        Self::Reserved,
        Self::OutOfStock,
        Self::InventoryOfInvalid,
        Self::ToldOfPayment,
        Self::ToldOfReservation,
    ];

    /// What has to come of a branch of an order of this kind, if it has that branch.
    fn of(kind: Kind, branch: Branch) -> Option<Self> {
        let payment = match kind {
            Kind::Good | Kind::Discontinued => Self::PaidAtOnce,
            Kind::Busy => Self::PaidThirdTime,
            Kind::Declined => Self::Declined,
            Kind::Hang => Self::Hung,
            Kind::Crash => Self::Crashed,
            Kind::Invalid(_) => Self::PaymentOfInvalid,
        };
        let inventory = match kind {
            Kind::Good | Kind::Busy | Kind::Declined | Kind::Hang | Kind::Crash => Self::Reserved,
            Kind::Discontinued => Self::OutOfStock,
            Kind::Invalid(_) => Self::InventoryOfInvalid,
        };
        let paid = matches!(payment, Self::PaidAtOnce | Self::PaidThirdTime);
        match branch {
            Branch::Payment => Some(payment),
            Branch::Inventory => Some(inventory),
            Branch::PaymentNotice => paid.then_some(Self::ToldOfPayment),
            Branch::InventoryNotice => (inventory == Self::Reserved).then_some(Self::ToldOfReservation),
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::PaidAtOnce => "payment settled",
            Self::PaidThirdTime => "payment settled (gateway busy at first)",
            Self::Declined => "dead-lettered: card declined (permanent)",
            Self::Hung => "dead-lettered: gateway hangs (deadline)",
            Self::Crashed => "dead-lettered: gateway client panics (trap)",
            Self::PaymentOfInvalid | Self::InventoryOfInvalid => "dead-lettered: order invalid",
            Self::Reserved => "goods reserved",
            Self::OutOfStock => "dead-lettered: out of stock (permanent)",
            Self::ToldOfPayment => "customer told of the payment",
            Self::ToldOfReservation => "customer told of the goods",
        }
    }

    pub(crate) fn branch(self) -> &'static str {
        match self {
            Self::PaidAtOnce
            | Self::PaidThirdTime
            | Self::Declined
            | Self::Hung
            | Self::Crashed
            | Self::PaymentOfInvalid => "payment",
            Self::Reserved | Self::OutOfStock | Self::InventoryOfInvalid => "goods",
            Self::ToldOfPayment | Self::ToldOfReservation => "notices",
        }
    }

    /// Whether this is the ending that is owed.
    fn is_met_by(self, evidence: &Evidence) -> bool {
        let dead = |queue: &str, class: &str| matches!(&evidence.ending, Ending::DeadLetter { queue: q, class: c } if q == queue && c == class);
        match self {
            Self::PaidAtOnce => evidence.ending == Ending::Settled,
            Self::PaidThirdTime => {
                evidence.ending == Ending::Settled && evidence.attempts.is_some_and(|attempts| attempts >= 3)
            }
            Self::Declined => dead("payment-process", "permanent"),
            Self::Hung => dead("payment-process", "deadline"),
            Self::Crashed => dead("payment-process", "trap"),
            Self::PaymentOfInvalid => dead("order-processing", "invalid"),
            Self::Reserved => evidence.ending == Ending::Reserved,
            Self::OutOfStock => dead("inventory-update", "permanent"),
            Self::InventoryOfInvalid => dead("inventory-update", "invalid"),
            Self::ToldOfPayment | Self::ToldOfReservation => evidence.ending == Ending::Notified,
        }
    }
}

impl Ledger {
    /// Opens an account for each ending that orders of these kinds owe.
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let branches = [Branch::Payment, Branch::Inventory, Branch::PaymentNotice, Branch::InventoryNotice];
        let accounts: BTreeMap<_, _> = kinds
            .iter()
            .enumerate()
            .flat_map(|(index, kind)| branches.map(|branch| (index + 1, branch, Fate::of(*kind, branch))))
            .filter(|(_, _, fate)| fate.is_some())
            .map(|(order, branch, owed)| ((order, branch), Account { owed, found: Vec::new() }))
            .collect();
        Self { owed: accounts.len(), accounts, ended: 0 }
    }

    /// Writes down what was found; whether it is an ending that was still open.
    pub(crate) fn record(&mut self, evidence: Evidence) -> bool {
        let account = self.accounts.entry((evidence.order, evidence.branch)).or_default();
        let first = account.owed.is_some() && account.found.is_empty();
        account.found.push(evidence);
        self.ended += usize::from(first);
        first
    }

    /// How many endings are owed.
    pub(crate) fn owed(&self) -> usize {
        self.owed
    }

    /// How many of them were found.
    pub(crate) fn ended(&self) -> usize {
        self.ended
    }

    /// How many pieces of evidence satisfy `test`.
    pub(crate) fn count(&self, test: impl Fn(&Evidence) -> bool) -> usize {
        self.accounts.values().flat_map(|account| &account.found).filter(|evidence| test(evidence)).count()
    }

    /// How many dead letters there are, duplicates included.
    pub(crate) fn dead_letters(&self) -> usize {
        self.count(|evidence| matches!(evidence.ending, Ending::DeadLetter { .. }))
    }

    /// How many endings of this kind are owed, and how many were found, by attempts: index 0 where that is not told,
    /// the last one for that many or more.
    pub(crate) fn row(&self, fate: Fate) -> (usize, [usize; 5]) {
        let mut found = [0; 5];
        let accounts = self.accounts.values().filter(|account| account.owed == Some(fate));
        let mut owed = 0;
        for account in accounts {
            owed += 1;
            if let Some(evidence) = account.found.iter().find(|evidence| fate.is_met_by(evidence)) {
                let attempts = usize::try_from(evidence.attempts.unwrap_or(0)).unwrap_or(usize::MAX);
                found[attempts.min(4)] += 1;
            }
        }
        (owed, found)
    }

    /// How often an ending was found again, under the same message id. They come of kills, and can be told by that id.
    pub(crate) fn duplicates(&self) -> usize {
        let again = |account: &Account| {
            account.found.iter().skip(1).filter(|more| same(&account.found[0], more)).count()
        };
        self.accounts.values().map(again).sum()
    }

    /// Everything that is not as it should be: an ending that is missing, another than the one owed, one too many.
    pub(crate) fn discrepancies(&self) -> Vec<Discrepancy> {
        let mut discrepancies = Vec::new();
        for ((order, branch), account) in &self.accounts {
            let mut say = |says: String| discrepancies.push(Discrepancy { order: *order, says });
            let Some(owed) = account.owed else {
                say(format!("{branch:?} ended in {:?}, and was to have no ending", account.found[0].ending));
                continue;
            };
            let Some(first) = account.found.first() else {
                say(format!("{branch:?} has not ended; owed: {}", owed.title()));
                continue;
            };
            if !owed.is_met_by(first) {
                say(format!("{branch:?} ended in {:?}; owed: {}", first.ending, owed.title()));
            }
            if let Some(other) = account.found.iter().find(|more| !same(first, more)) {
                say(format!("{branch:?} ended in {first:?} and again in {other:?}"));
            }
        }
        discrepancies
    }
}

/// Whether the two are one ending, found twice.
fn same(first: &Evidence, second: &Evidence) -> bool {
    first.message_id == second.message_id && first.ending == second.ending
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(order: usize, message_id: &str) -> Evidence {
        let (branch, ending) = (Branch::Payment, Ending::Settled);
        Evidence { order, branch, ending, attempts: Some(1), message_id: message_id.to_owned() }
    }

    #[test]
    fn a_good_order_owes_four_endings_and_an_invalid_one_two() {
        use crate::orders::Defect;
        assert_eq!(Ledger::new(&[Kind::Good]).owed(), 4);
        assert_eq!(Ledger::new(&[Kind::Invalid(Defect::NotJson)]).owed(), 2);
        assert_eq!(Ledger::new(&[Kind::Declined]).owed(), 3);
    }

    #[test]
    fn what_did_not_end_is_named() {
        let mut ledger = Ledger::new(&[Kind::Good, Kind::Good]);
        assert!(ledger.record(settled(2, "a")));
        let missing = ledger.discrepancies();
        assert_eq!(missing.len(), 7);
        assert_eq!((missing[0].order, ledger.ended()), (1, 1));
    }

    #[test]
    fn the_same_ending_twice_is_a_duplicate_and_another_one_is_wrong() {
        let mut ledger = Ledger::new(&[Kind::Good]);
        ledger.record(settled(1, "a"));
        let open = ledger.discrepancies().len();
        assert!(!ledger.record(settled(1, "a")));
        assert_eq!((ledger.duplicates(), ledger.discrepancies().len()), (1, open));
        ledger.record(settled(1, "b"));
        assert_eq!((ledger.duplicates(), ledger.discrepancies().len()), (1, open + 1));
    }

    #[test]
    fn an_ending_that_the_token_did_not_ask_for_is_wrong() {
        let mut ledger = Ledger::new(&[Kind::Declined]);
        ledger.record(settled(1, "a"));
        let wrong = ledger.discrepancies();
        assert!(wrong.iter().any(|wrong| wrong.says.starts_with("Payment ended in Settled")), "{wrong:?}");
        assert_eq!(ledger.row(Fate::Declined), (1, [0; 5]));
    }

    #[test]
    fn a_busy_gateway_takes_three_attempts() {
        let mut ledger = Ledger::new(&[Kind::Busy]);
        ledger.record(Evidence { attempts: Some(3), ..settled(1, "a") });
        assert_eq!(ledger.row(Fate::PaidThirdTime), (1, [0, 0, 0, 1, 0]));
    }
}
