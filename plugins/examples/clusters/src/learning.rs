//! What a pass over the population gathers.

use crate::centers::{Centers, distance};

/// Accounts that the first centers are chosen from.
const SAMPLE: usize = 4_096;
/// Moves of the centers, at most: with the first pass that is less than a host allows.
const MAX_MOVES: u32 = 30;
/// Centers that move less, in deviations, stay.
const STAYS: f64 = 1e-4;

/// What one pass gathers.
#[derive(Debug)]
pub struct Learning {
    numbers: Numbers,
    gathers: Gathers,
}

#[derive(Debug)]
enum Gathers {
    /// Mean and spread of every feature (Welford 1962), and a sample (Vitter 1985, algorithm R).
    Scales {
        n_rows: u64,
        means: Vec<f64>,
        squares: Vec<f64>,
        sample: Vec<Vec<f64>>,
    },
    /// The sums of the accounts of every center.
    Means {
        from: Centers,
        n_moves: u32,
        sums: Vec<f64>,
        counts: Vec<u64>,
    },
}

/// What follows a pass.
#[derive(Debug)]
pub(crate) enum Next {
    Pass(Learning),
    Done(Centers),
}

impl Learning {
    pub(crate) fn begin(width: usize, seed: u64) -> Self {
        Self {
            numbers: Numbers(seed),
            gathers: Gathers::Scales {
                n_rows: 0,
                means: vec![0.0; width],
                squares: vec![0.0; width],
                sample: Vec::new(),
            },
        }
    }

    pub(crate) fn see(&mut self, values: &[f64]) {
        match &mut self.gathers {
            Gathers::Scales {
                n_rows,
                means,
                squares,
                sample,
            } => {
                *n_rows += 1;
                for ((mean, square), value) in means.iter_mut().zip(squares).zip(values) {
                    let off = value - *mean;
                    *mean += off / *n_rows as f64;
                    *square += off * (value - *mean);
                }
                if sample.len() < SAMPLE {
                    sample.push(values.to_vec());
                } else if let Ok(place) = usize::try_from(self.numbers.below(*n_rows))
                    && let Some(one) = sample.get_mut(place)
                {
                    *one = values.to_vec();
                }
            },
            Gathers::Means {
                from, sums, counts, ..
            } => {
                let values = from.standardized(values);
                let Some(cluster) = from.nearest(&values) else {
                    return;
                };
                counts[cluster] += 1;
                let sums = sums.iter_mut().skip(cluster * values.len());
                sums.zip(&values).for_each(|(sum, value)| *sum += value);
            },
        }
    }

    pub(crate) fn end(mut self, n_clusters: usize) -> Result<Next, String> {
        match self.gathers {
            Gathers::Scales {
                n_rows,
                means,
                squares,
                sample,
            } => {
                if n_rows == 0 {
                    return Err("no account has a value of every feature".to_owned());
                }
                let spread = |square: &f64| (square / n_rows as f64).sqrt();
                // What is the same everywhere tells nobody apart.
                let or_one = |spread: f64| if spread > 0.0 { spread } else { 1.0 };
                let mut begun = Centers {
                    means,
                    deviations: squares.iter().map(spread).map(or_one).collect(),
                    centers: Vec::new(),
                };
                let sample: Vec<_> = sample.iter().map(|one| begun.standardized(one)).collect();
                begun.centers = first_centers(&sample, n_clusters, &mut self.numbers);
                Ok(Next::Pass(Self::about(begun, 0, self.numbers)))
            },
            Gathers::Means {
                from,
                n_moves,
                sums,
                counts,
            } => {
                let width = from.means.len();
                let mut moved = from.clone();
                for (k, value) in moved.centers.iter_mut().enumerate() {
                    // A center that nobody is near to stays where it is.
                    if counts[k / width] > 0 {
                        *value = sums[k] / counts[k / width] as f64;
                    }
                }
                let is_still = distance(&moved.centers, &from.centers) < STAYS.powi(2);
                if is_still || n_moves + 1 >= MAX_MOVES {
                    return Ok(Next::Done(ordered(moved)));
                }
                Ok(Next::Pass(Self::about(moved, n_moves + 1, self.numbers)))
            },
        }
    }

    fn about(from: Centers, n_moves: u32, numbers: Numbers) -> Self {
        let (sums, counts) = (vec![0.0; from.centers.len()], vec![0; from.n_clusters()]);
        let gathers = Gathers::Means {
            from,
            n_moves,
            sums,
            counts,
        };
        Self { numbers, gathers }
    }
}

/// Accounts that are far from each other: each is drawn with the square of its distance from those before as its weight.
fn first_centers(sample: &[Vec<f64>], n_clusters: usize, numbers: &mut Numbers) -> Vec<f64> {
    let drawn = numbers.below(sample.len() as u64);
    let mut next = usize::try_from(drawn).unwrap_or(0);
    let mut centers = Vec::new();
    let mut weights = vec![f64::INFINITY; sample.len()];
    for _ in 0..n_clusters {
        let Some(center) = sample.get(next) else {
            break;
        };
        centers.extend_from_slice(center);
        for (weight, one) in weights.iter_mut().zip(sample) {
            *weight = weight.min(distance(one, center));
        }
        let mut left = weights.iter().sum::<f64>() * numbers.share();
        // Everybody is where a center is: there are no more clusters.
        let Some(last) = weights.iter().rposition(|weight| *weight > 0.0) else {
            break;
        };
        let found = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0 && *weight > 0.0
        });
        next = found.unwrap_or(last);
    }
    centers
}

/// The clusters by their first feature, the greatest first, so that the first is the same one in every fit.
fn ordered(mut centers: Centers) -> Centers {
    let width = centers.means.len();
    let mut each: Vec<Vec<f64>> = centers.centers.chunks(width).map(<[f64]>::to_vec).collect();
    let compared = |one: &Vec<f64>, other: &Vec<f64>| {
        let pairs = other.iter().zip(one).map(|(b, a)| b.total_cmp(a));
        pairs
            .reduce(std::cmp::Ordering::then)
            .unwrap_or(std::cmp::Ordering::Equal)
    };
    each.sort_by(compared);
    centers.centers = each.concat();
    centers
}

/// Numbers from a seed (SplitMix64, Steele et al. 2014).
#[derive(Debug)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// From 0 to less than 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
