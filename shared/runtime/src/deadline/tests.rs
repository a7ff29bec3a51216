use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::{GRPC_TIMEOUT, forwarded, from_headers, to_header};

fn read(text: &str) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(GRPC_TIMEOUT, HeaderValue::from_str(text).unwrap());
    from_headers(&headers)
}

#[test]
fn every_unit_of_the_protocol_is_read_and_nonsense_is_no_deadline() {
    assert_eq!(read("2H"), Some(Duration::from_secs(7_200)));
    assert_eq!(read("3M"), Some(Duration::from_secs(180)));
    assert_eq!(read("4S"), Some(Duration::from_secs(4)));
    assert_eq!(read("82m"), Some(Duration::from_millis(82)));
    assert_eq!(read("7u"), Some(Duration::from_micros(7)));
    assert_eq!(read("99999999n"), Some(Duration::from_nanos(99_999_999)));
    for nonsense in ["", "S", "12", "-1S", "+1S", "123456789S", "1x", "1 S"] {
        assert_eq!(read(nonsense), None, "{nonsense:?}");
    }
}

#[test]
fn a_written_timeout_never_exceeds_the_time_left_and_fits_eight_digits() {
    for left in [
        Duration::ZERO,
        Duration::from_nanos(5),
        Duration::from_millis(2_500),
        Duration::from_secs(86_400 * 400),
    ] {
        let header = to_header(left).unwrap();
        let text = header.to_str().unwrap();
        assert!(text.len() <= 9, "{text}");
        let back = read(text).unwrap();
        assert!(
            back <= left && left - back < Duration::from_secs(3_600),
            "{left:?} became {text}"
        );
    }
    assert_eq!(to_header(Duration::from_millis(50)).unwrap(), "50000000n");
}

#[test]
fn the_margin_is_ten_milliseconds_but_at_most_a_tenth() {
    assert_eq!(
        forwarded(Duration::from_secs(1)),
        Duration::from_millis(990)
    );
    assert_eq!(
        forwarded(Duration::from_millis(50)),
        Duration::from_millis(45)
    );
    assert_eq!(forwarded(Duration::ZERO), Duration::ZERO);
}
