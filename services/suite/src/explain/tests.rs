use std::collections::BTreeSet;
use std::path::Path;

use super::{PAGES, find, near, reasons};

#[test]
fn every_reason_has_a_page_and_no_page_lacks_a_reason() {
    let known: BTreeSet<&str> = reasons().collect();
    let of_pages: BTreeSet<&str> = PAGES.iter().map(|page| page.reason).collect();
    assert_eq!(of_pages, known);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reasons");
    let files: BTreeSet<String> = folder
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected: BTreeSet<String> = known.iter().map(|reason| format!("{reason}.md")).collect();
    assert_eq!(files, expected);
}

#[test]
fn every_page_is_headed_by_its_reason_and_says_what_happened_and_what_to_do() {
    for page in PAGES {
        assert!(
            page.text.starts_with(&format!("# {}\n\n", page.reason)),
            "{}",
            page.reason
        );
        assert!(page.summary().ends_with('.'), "{}", page.reason);
        assert!(
            page.text.contains("\n## What happened\n\n"),
            "{}",
            page.reason
        );
        assert!(
            page.text.contains("\n## What to do\n\n- "),
            "{}",
            page.reason
        );
    }
}

#[test]
fn a_reason_is_found_however_it_is_written() {
    for text in ["TOO_OLD", "too_old", "ERROR_REASON_TOO_OLD"] {
        assert_eq!(find(text).map(|page| page.reason), Some("TOO_OLD"));
    }
    assert!(find("TOO_YOUNG").is_none());
}

#[test]
fn a_reason_that_is_misspelled_is_recognized_and_another_word_is_not() {
    assert_eq!(near("TIME_IN_FUTRE"), Some("TIME_IN_FUTURE"));
    assert_eq!(near("tenant_unkown"), Some("TENANT_UNKNOWN"));
    assert_eq!(near("weather"), None);
}
