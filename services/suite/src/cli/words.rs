//! What services say about a request, in the words of the command line that made it.

/// Names of the contract, and what they are called on the command line.
const WORDS: [(&str, &str); 31] = [
    ("at.as_of", "--as-of"),
    ("as_of", "--as-of"),
    ("at.known_at", "--known-at"),
    ("known_at", "--known-at"),
    ("at.at_least_position", "--at-least"),
    ("at_least_position", "--at-least"),
    ("order_by_feature", "--order-by"),
    ("show_features", "--show"),
    ("sum_features", "--sum"),
    ("first_day", "--from"),
    ("last_day", "--to"),
    ("last_month", "--last-month"),
    ("key.expires_at", "--expires"),
    ("expires_at", "--expires"),
    ("tenant.base_currency", "--currency"),
    ("tenant.fixed_clock", "--fixed-clock"),
    ("tenant.retention_days", "--retention-days"),
    ("tenant.rfm_tie_policy", "--rfm-ties"),
    ("tenant.time_zone", "--time-zone"),
    ("segmentation.config", "--segmenter-config"),
    ("segmentation.segmenter_id", "--segmenter"),
    ("segmentation.segmenter_version", "--segmenter-version"),
    ("segmenter.segmenter_id", "the segmenter"),
    ("segmenter.version", "--segmenter-version"),
    ("token_name", "--token-name"),
    ("accept_diff", "--accept-diff"),
    ("GetFeatures", "`sextant account`"),
    ("GetRevenue", "`sextant metrics revenue --by`"),
    ("ListFeatureDefinitions", "`sextant features`"),
    ("ListFeatures", "`sextant export`"),
    ("ListSegmentations", "`sextant segmentations list`"),
];

/// A message with its names of the contract replaced.
pub(crate) fn spoken(message: &str) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let mut spoken = String::with_capacity(message.len());
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let bare = name.trim_end_matches('.');
        match WORDS.iter().find(|(of_contract, _)| *of_contract == bare) {
            Some((_, said)) => {
                spoken.push_str(said);
                spoken.push_str(name.get(bare.len()..).unwrap_or_default());
            },
            None => spoken.push_str(name),
        }
        let next = behind.find(is_of_name).unwrap_or(behind.len());
        let (between, behind) = behind.split_at(next);
        spoken.push_str(between);
        rest = behind;
    }
    spoken
}

#[cfg(test)]
mod tests;
