//! Segmenters that are not asked any more: what they have failed with, and who does not trust them.

use sextant_plugin_host::{External, Failing, Trouble};
use sextant_proto::segmentation::v1::SegmenterState;

use crate::segmenters::Segmenters;

impl Segmenters {
    /// Those that may not be asked any more, anywhere, whatever their configuration: they have failed too often, were taken back, or
    /// their time is over. With what each has done.
    pub(crate) fn fallen(&self) -> Vec<(String, String)> {
        let mut fallen = self.failed(External::failure_of_all);
        for told in self.published().values() {
            // While the keys cannot be read nothing new is loaded, and what runs goes on. What is distrusted for another reason is not
            // asked here, and that is all: other processes may have read other keys.
            if told.state() == SegmenterState::Ready
                && let Ok(Some(distrust)) = self.distrusted(told)
                && matches!(distrust.check, "S-revoked" | "S-time")
            {
                fallen.push((told.digest.clone(), distrust.to_string()));
            }
        }
        fallen
    }

    /// Those that have failed too often with every configuration that they are asked with here, and with what. Elsewhere, and of
    /// tenants that are not in memory, there may be others.
    pub(crate) fn failed_here(&self) -> Vec<(String, String)> {
        self.failed(External::failure)
    }

    /// A server that is away is not among them: it comes back.
    fn failed(&self, failure: impl Fn(&External) -> Option<Trouble>) -> Vec<(String, String)> {
        let running = self.running().into_iter();
        let failed = running.filter_map(|(digest, segmenter)| match failure(&segmenter)? {
            Trouble::Gone(_) | Trouble::NotStarted(_) => None,
            trouble => Some((
                digest,
                format!("it has failed too often, at last so: {trouble}"),
            )),
        });
        failed.collect()
    }

    /// Configurations with which segmenters have failed too often here, by digest.
    pub(crate) fn failing(&self) -> Vec<(String, Failing)> {
        let running = self.running().into_iter();
        let failing = running.flat_map(|(digest, segmenter)| {
            let failing = segmenter.failing().into_iter();
            failing.map(move |one| (digest.clone(), one))
        });
        let is_away =
            |one: &Failing| matches!(one.trouble, Trouble::Gone(_) | Trouble::NotStarted(_));
        failing.filter(|(_, one)| !is_away(one)).collect()
    }
}
