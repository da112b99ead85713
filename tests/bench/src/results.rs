//! Figures of all runs, and what can be made of them: medians, spreads, and ratios between sides of the same round.

use std::time::Duration;

use serde::Serialize;

use crate::measure::Figure;

/// One run of one side.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    /// The workload, such as `consume, 1 KiB`.
    pub(crate) case: String,
    /// The side.
    pub(crate) side: String,
    /// The round, from 1.
    pub(crate) round: usize,
    /// What came of it.
    #[serde(flatten)]
    pub(crate) figure: Figure,
}

/// A quantity beside throughput, such as a latency: one value for each round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series {
    /// What was measured, such as `memory`.
    pub(crate) case: String,
    /// Of what, with the unit.
    pub(crate) what: String,
    /// One for each round.
    pub(crate) values: Vec<f64>,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// In the order in which they ran.
    pub(crate) runs: Vec<Run>,
    /// Other quantities.
    pub(crate) series: Vec<Series>,
    /// What did not run, or came to nothing, and why.
    pub(crate) notes: Vec<String>,
    /// Runs that were no figure, and why.
    pub(crate) failures: Vec<String>,
    /// How busy the machine was with other things when it began.
    pub(crate) busy_percent: f64,
    /// How long it all took.
    pub(crate) took: Duration,
}

/// A median, and the least and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of some values; none if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { values[middle - 1].midpoint(values[middle]) };
        Some(Self { median, least, most })
    }
}

impl Results {
    /// A quantity of all runs of a side.
    pub(crate) fn spread(&self, case: &str, side: &str, quantity: fn(&Figure) -> f64) -> Option<Spread> {
        Spread::of(self.of(case, side).map(|run| quantity(&run.figure)))
    }

    /// How many times the throughput of another side it has, round by round.
    pub(crate) fn ratio(&self, case: &str, side: &str, to: &str) -> Option<Spread> {
        self.ratio_of_cases((case, side), (case, to))
    }

    /// The same between any two.
    pub(crate) fn ratio_of_cases(
        &self,
        (case, side): (&str, &str),
        (to_case, to): (&str, &str),
    ) -> Option<Spread> {
        Spread::of(self.of(case, side).filter_map(|run| {
            let other = self.of(to_case, to).find(|other| other.round == run.round)?;
            Some(run.figure.rate / other.figure.rate)
        }))
    }

    fn of(&self, case: &str, side: &str) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.case == case && run.side == side)
    }

    /// Another quantity.
    pub(crate) fn value(&self, case: &str, what: &str) -> Option<Spread> {
        let series = self.series.iter().find(|series| series.case == case && series.what == what)?;
        Spread::of(series.values.iter().copied())
    }

    /// Adds a value of another quantity.
    pub(crate) fn add(&mut self, case: &str, what: &str, value: f64) {
        match self.series.iter_mut().find(|series| series.case == case && series.what == what) {
            Some(series) => series.values.push(value),
            None => {
                let values = vec![value];
                self.series.push(Series { case: case.to_owned(), what: what.to_owned(), values });
            }
        }
    }

    /// The cases in the order in which they ran first.
    pub(crate) fn cases(&self) -> Vec<&str> {
        let mut cases = Vec::new();
        for run in &self.runs {
            if !cases.contains(&run.case.as_str()) {
                cases.push(run.case.as_str());
            }
        }
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]), Some(Spread { median: 2.5, least: 1.0, most: 4.0 }));
    }

    #[test]
    fn a_ratio_compares_runs_of_the_same_round() {
        let run = |side: &str, round, rate| Run {
            case: "c".to_owned(),
            side: side.to_owned(),
            round,
            figure: Figure { rate, cpu_us: 1.0, broker_us: 1.0, idle_us: 1.0, peak_mib: 1.0 },
        };
        let runs =
            vec![run("x", 1, 10.0), run("y", 1, 5.0), run("y", 2, 10.0), run("x", 2, 30.0), run("x", 3, 1.0)];
        let results = Results { runs, ..Results::default() };
        assert_eq!(results.ratio("c", "x", "y"), Some(Spread { median: 2.5, least: 2.0, most: 3.0 }));
    }
}
