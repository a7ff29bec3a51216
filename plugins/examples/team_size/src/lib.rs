//! An example segmenter: small and large teams by the number of seats.

use sextant_segmenter::{Answer, Call, Config, ConfigError, Reasons, Segmenter, features};

features! {
    /// What the segmenter reads.
    pub struct Account {
        seats: I64 = "revenue.seats",
        seat_share: F64 = "usage.seat_share",
    }
}

/// The segmenter.
#[derive(Debug)]
pub struct TeamSize {
    large_from: i64,
}

impl Segmenter for TeamSize {
    type Rows<'a> = Account<'a>;

    const DESCRIPTOR: &'static str = include_str!("../descriptor.json");

    fn create(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            large_from: config.i64("large_from")?,
        })
    }

    fn assign(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize) -> Answer {
        match rows.seats.get(row) {
            None => Answer::ABSTAIN,
            Some(seats) => Answer::segment(u16::from(seats >= self.large_from)),
        }
    }

    fn explain(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize, reasons: &mut Reasons) {
        if let Some(seats) = rows.seats.get(row) {
            reasons.push(
                &rows.seats,
                1.0,
                format!("{seats} seats; large starts at {}", self.large_from),
            );
        }
        if let Some(share) = rows.seat_share.get(row) {
            reasons.push(
                &rows.seat_share,
                0.0,
                format!("{:.0} % of the seats are in use", share * 100.0),
            );
        }
    }
}

sextant_segmenter::export_segmenter!(TeamSize);

#[cfg(test)]
mod tests {
    use sextant_segmenter::testing::{Session, check_examples};

    use super::TeamSize;

    #[test]
    fn examples_of_the_descriptor_hold() {
        check_examples::<TeamSize>().unwrap();
    }

    #[test]
    fn reasons_name_seats_and_their_use() {
        let session = Session::<TeamSize>::new("{}").unwrap();
        let reasons = session.reasons("[[10, 0.5]]", 2).unwrap();
        assert_eq!(reasons[0][0].text, "10 seats; large starts at 50");
        assert_eq!(reasons[0][1].text, "50 % of the seats are in use");
    }
}
