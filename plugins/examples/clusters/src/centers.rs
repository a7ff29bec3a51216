//! What was learned: how values are standardized, and the centers.

/// The beginning of a state.
const MARK: &[u8; 8] = b"clusters";

/// Centers of clusters in standardized values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Centers {
    pub(crate) means: Vec<f64>,
    pub(crate) deviations: Vec<f64>,
    /// One after the other.
    pub(crate) centers: Vec<f64>,
}

impl Centers {
    fn width(&self) -> usize {
        self.means.len()
    }

    pub(crate) fn n_clusters(&self) -> usize {
        self.centers.len() / self.width().max(1)
    }

    /// A center in the features' own units.
    pub(crate) fn center(&self, cluster: usize) -> Vec<f64> {
        let center = self.centers.iter().skip(cluster * self.width());
        let scales = self.means.iter().zip(&self.deviations);
        let units = center
            .zip(scales)
            .map(|(value, (mean, deviation))| value * deviation + mean);
        units.collect()
    }

    /// Values in deviations from the mean.
    pub(crate) fn standardized(&self, values: &[f64]) -> Vec<f64> {
        let scales = self.means.iter().zip(&self.deviations);
        let values = values.iter().zip(scales);
        let scaled = values.map(|(value, (mean, deviation))| (value - mean) / deviation);
        scaled.collect()
    }

    fn distances(&self, values: &[f64]) -> impl Iterator<Item = (usize, f64)> {
        let centers = self.centers.chunks_exact(self.width().max(1));
        centers.map(|center| distance(center, values)).enumerate()
    }

    /// The nearest center; of equally near ones the first.
    pub(crate) fn nearest(&self, values: &[f64]) -> Option<usize> {
        let nearest = self.distances(values).min_by(|a, b| a.1.total_cmp(&b.1));
        nearest.map(|(cluster, _)| cluster)
    }

    /// The nearest center and the next one.
    pub(crate) fn two_nearest(&self, values: &[f64]) -> Option<(usize, usize)> {
        let nearest = self.nearest(values)?;
        let others = self
            .distances(values)
            .filter(|(cluster, _)| *cluster != nearest);
        let (next, _) = others.min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((nearest, next))
    }

    /// How much nearer a feature is to one center than to another, in squared deviations.
    pub(crate) fn gain(&self, values: &[f64], feature: usize, (one, other): (usize, usize)) -> f32 {
        let off = |cluster: usize| {
            let center = self.centers[cluster * self.width() + feature];
            (values[feature] - center).powi(2)
        };
        #[expect(clippy::cast_possible_truncation, reason = "a weight for people")]
        let gain = (off(other) - off(one)) as f32;
        gain
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MARK.to_vec();
        for number in self
            .means
            .iter()
            .chain(&self.deviations)
            .chain(&self.centers)
        {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
        bytes
    }

    /// A state of so many features.
    pub(crate) fn from_bytes(bytes: &[u8], width: usize) -> Result<Self, &'static str> {
        let foreign = "it is no state of this model";
        let body = bytes.strip_suffix(bytes.last_chunk::<8>().ok_or(foreign)?);
        let (body, sum) = (body.ok_or(foreign)?, bytes.last_chunk().ok_or(foreign)?);
        if u64::from_le_bytes(*sum) != checksum(body) {
            return Err("it is damaged, or no state of this model");
        }
        let numbers = body.strip_prefix(MARK).ok_or(foreign)?;
        let (numbers, rest) = numbers.as_chunks::<8>();
        let numbers: Vec<f64> = numbers
            .iter()
            .map(|number| f64::from_le_bytes(*number))
            .collect();
        let n_centers = numbers.len().checked_sub(2 * width).ok_or(foreign)?;
        let is_whole = rest.is_empty() && n_centers > 0 && n_centers.is_multiple_of(width);
        if !is_whole || numbers.iter().any(|number| !number.is_finite()) {
            return Err("it is of a configuration with other features");
        }
        let (means, others) = numbers.split_at(width);
        let (deviations, centers) = others.split_at(width);
        Ok(Self {
            means: means.to_vec(),
            deviations: deviations.to_vec(),
            centers: centers.to_vec(),
        })
    }
}

/// Squared distance.
pub(crate) fn distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum()
}

/// FNV-1a: finds damage, and proves nothing else.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
