//! An example of a segmenter that learns: accounts that are alike in features that the configuration names, by k-means (Lloyd 1982,
//! begun as by Arthur and Vassilvitskii 2007) on standardized values.
//!
//! The first pass over the population takes mean and deviation of every feature and keeps a sample; each further one moves the
//! centers to the means of their accounts, until they stay. The state is the means, the deviations and the centers.

mod centers;
mod learning;

use sextant_segmenter::{
    Answer, AnyColumn, Call, Config, ConfigError, Fit, FitError, Missing, Pass, Reasons,
    SegmentSpec, Segmenter, StateError, ValueType, Wanted, WithWanted,
};

use centers::Centers;
use learning::Learning;

/// The segmenter.
#[derive(Debug)]
pub struct Clusters {
    names: Vec<(String, ValueType)>,
    n_clusters: usize,
    learned: Option<Centers>,
}

/// What it reads: nothing but what the configuration asks for.
type Rows<'a> = WithWanted<'a, ()>;

impl Clusters {
    /// The values of a row; `None` if one is absent or no number.
    fn values(rows: &Rows<'_>, row: usize) -> Option<Vec<f64>> {
        let values = rows
            .wanted
            .iter()
            .map(|column: &AnyColumn<'_>| column.number(row));
        let values: Option<Vec<f64>> = values.collect();
        values.filter(|values| values.iter().all(|value| value.is_finite()))
    }
}

impl Segmenter for Clusters {
    type Rows<'a> = Rows<'a>;

    const DESCRIPTOR: &'static str = include_str!("../descriptor.json");
    const DYNAMIC_FEATURES: bool = true;
    const DYNAMIC_SEGMENTS: bool = true;

    fn create(config: &Config) -> Result<Self, ConfigError> {
        let (counts, shares) = (config.texts("counts")?, config.texts("shares")?);
        if let Some(name) = shares.iter().find(|name| counts.contains(name)) {
            let message = format!("\"{name}\" is among the counts, too");
            return Err(ConfigError::at("shares", message));
        }
        let counts = counts.into_iter().map(|name| (name, ValueType::Int64));
        let shares = shares.into_iter().map(|name| (name, ValueType::Float64));
        let names = counts.chain(shares);
        let names: Vec<_> = names.map(|(name, kind)| (name.to_owned(), kind)).collect();
        if names.is_empty() {
            return Err(ConfigError::at(
                "counts",
                "name a feature here or in shares",
            ));
        }
        let n_clusters = usize::try_from(config.i64("clusters")?);
        let n_clusters =
            n_clusters.map_err(|_negative| ConfigError::at("clusters", "must not be negative"))?;
        Ok(Self {
            names,
            n_clusters,
            learned: None,
        })
    }

    fn features(&self) -> Vec<Wanted> {
        let names = self.names.iter();
        let wanted = names.map(|(name, kind)| Wanted::new(name, *kind, Missing::SkipRow));
        wanted.collect()
    }

    fn segments(&self) -> Vec<SegmentSpec> {
        let Some(learned) = &self.learned else {
            return Vec::new();
        };
        let spec = |cluster: usize| {
            let center = learned.center(cluster);
            let values = self.names.iter().zip(center);
            let values = values.map(|((name, _), value)| format!("{name} {value:.2}"));
            let title = format!("Around {}", values.collect::<Vec<_>>().join(", "));
            SegmentSpec::new(format!("cluster_{}", cluster + 1), title)
        };
        (0..learned.n_clusters()).map(spec).collect()
    }

    fn is_fitted(&self) -> bool {
        self.learned.is_some()
    }

    fn assign(&self, _call: &Call<'_>, rows: &Rows<'_>, row: usize) -> Answer {
        match (&self.learned, Self::values(rows, row)) {
            (Some(learned), Some(values)) => {
                let nearest = learned.nearest(&learned.standardized(&values));
                nearest
                    .and_then(|nearest| u16::try_from(nearest).ok())
                    .map_or(Answer::ABSTAIN, Answer::segment)
            },
            _ => Answer::ABSTAIN,
        }
    }

    /// What each feature adds to being nearer to this center than to the next one, in squared deviations.
    fn explain(&self, _call: &Call<'_>, rows: &Rows<'_>, row: usize, reasons: &mut Reasons) {
        let (Some(learned), Some(values)) = (&self.learned, Self::values(rows, row)) else {
            return;
        };
        let standardized = learned.standardized(&values);
        let Some((nearest, next)) = learned.two_nearest(&standardized) else {
            return;
        };
        let (here, there) = (learned.center(nearest), learned.center(next));
        for (k, column) in rows.wanted.iter().enumerate() {
            let gain = learned.gain(&standardized, k, (nearest, next));
            let (name, _) = &self.names[k];
            let text = format!(
                "{name} is {:.2}: cluster_{} is around {:.2}, cluster_{} around {:.2}",
                values[k],
                nearest + 1,
                here[k],
                next + 1,
                there[k]
            );
            reasons.push_at(column.position(), gain, text);
        }
    }
}

impl Fit for Clusters {
    type Learning = Learning;

    fn begin(&self, call: &Call<'_>, _rows: u64) -> Learning {
        Learning::begin(self.names.len(), call.seed())
    }

    fn learn(&self, learning: &mut Learning, _call: &Call<'_>, rows: &Rows<'_>, row: usize) {
        if let Some(values) = Self::values(rows, row) {
            learning.see(&values);
        }
    }

    fn end(&mut self, learning: Learning, _call: &Call<'_>) -> Result<Pass<Learning>, FitError> {
        match learning.end(self.n_clusters) {
            Ok(learning::Next::Pass(learning)) => Ok(Pass::Again(learning)),
            Ok(learning::Next::Done(centers)) => {
                self.learned = Some(centers);
                Ok(Pass::Done)
            },
            Err(why) => Err(FitError(why)),
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.learned.as_ref().map(Centers::to_bytes)
    }

    fn load(&mut self, state: &[u8]) -> Result<(), StateError> {
        let learned = Centers::from_bytes(state, self.names.len());
        self.learned = Some(learned.map_err(|why| StateError(why.to_owned()))?);
        Ok(())
    }
}

sextant_segmenter::export_segmenter!(Clusters, fit);

#[cfg(test)]
mod tests {
    use sextant_segmenter::testing::{Session, check_fitted_examples};

    use super::Clusters;

    const CONFIG: &str =
        r#"{"counts": ["revenue.seats"], "shares": ["usage.seat_share"], "clusters": 3}"#;

    #[test]
    fn examples_of_the_descriptor_hold() {
        check_fitted_examples::<Clusters>().unwrap();
    }

    /// Three groups that nobody would cut otherwise.
    fn population() -> String {
        let groups = [(10, 0.1), (10, 0.9), (500, 0.5)];
        let rows = (0..300).map(|k| {
            let (seats, share) = groups[k % 3];
            let off = k % 7;
            format!("[{},{}]", seats + off, share + off as f64 / 100.0)
        });
        format!("[{}]", rows.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn groups_that_are_far_apart_are_found_whatever_the_seed_begins_with() {
        let session = Session::<Clusters>::fitted(CONFIG, &population()).unwrap();
        assert_eq!(session.keys(), ["cluster_1", "cluster_2", "cluster_3"]);
        let rows = "[[11,0.12],[13,0.95],[480,0.5],[12,0.1],[900,0.5]]";
        let found = session.segments(rows).unwrap();
        assert_eq!(found[0], found[3]);
        assert_eq!(found[2], found[4]);
        assert_ne!(found[0], found[1]);
        assert_ne!(found[1], found[2]);
    }

    #[test]
    fn what_tells_the_two_nearest_centers_apart_is_the_strongest_reason() {
        let config = CONFIG.replace('3', "2");
        let population = "[[10,0.1],[10,0.2],[10,0.1],[10,0.9],[10,0.8],[10,0.9]]";
        let session = Session::<Clusters>::fitted(&config, population).unwrap();
        let reasons = session.reasons("[[11,0.12]]", 2).unwrap();
        assert_eq!(reasons[0][0].feature, "usage.seat_share");
        let text = &reasons[0][0].text;
        assert!(
            text.starts_with("usage.seat_share is 0.12: cluster_2 is around 0.13"),
            "{text}"
        );
    }

    #[test]
    fn a_population_without_values_is_refused() {
        let refusal = Session::<Clusters>::fitted(CONFIG, "[[null,0.5]]").unwrap_err();
        assert_eq!(refusal.code, 2);
        assert!(
            refusal.message.contains("no account has a value"),
            "{refusal}"
        );
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let mut session = Session::<Clusters>::fitted(CONFIG, &population()).unwrap();
        let state = session.state().unwrap();
        let shorter = state[..state.len() - 1].to_vec();
        let mut other = state.clone();
        other[9] ^= 0x40;
        for bytes in [Vec::new(), b"no state".to_vec(), shorter, other] {
            assert_eq!(session.load(&bytes).unwrap_err().code, 8);
        }
        session.load(&state).unwrap();
    }
}
