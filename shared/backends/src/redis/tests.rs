use super::*;

#[test]
fn a_stored_value_reads_back() {
    let entry = Entry {
        position: u64::MAX - 1,
        bytes: vec![1, 2, 3].into(),
    };
    assert_eq!(decode(encode(&entry)), Some(entry));
}

#[test]
fn a_value_without_a_position_is_a_miss() {
    assert_eq!(decode(vec![1, 2, 3]), None);
}

#[test]
fn entries_of_one_moment_do_not_expire_at_one_moment() {
    let hour = Duration::from_secs(3_600);
    let kept: Vec<u64> = (0..100)
        .map(|number| kept_ms(hour, &format!("{{t}}:account:{number}")))
        .collect();
    assert!(
        kept.iter().all(|ms| (3_240_000..=3_600_000).contains(ms)),
        "{kept:?}"
    );
    let (first, last) = (kept.iter().min().unwrap(), kept.iter().max().unwrap());
    assert!(last - first > 180_000, "{kept:?}");
}

#[test]
fn runs_of_servers_are_told_apart() {
    let server = "# Server\r\nredis_version:7.0.15\r\nrun_id:0123456789abcdef\r\ntcp_port:6379\r\n";
    assert_eq!(told(server, "run_id:"), "01234567");
    assert_eq!(told("# Server\r\n", "run_id:"), "");
}
