//! Clocks that jump.

use serde_json::json;

use crate::place::Place;

fn time(line: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(&line[65..]).unwrap();
    format!("{}/{}", json["time"].as_str().unwrap(), json["clock"].as_str().unwrap_or("-"))
}

#[test]
fn a_clock_that_is_set_back_never_makes_a_record_older_than_the_one_before() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    place.clock.back(3600);
    log.append("test", &json!({})).unwrap();
    log.close().unwrap();
    // Another process sees it as well.
    place.clock.advance(60);
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    place.clock.advance(3600);
    log.append("test", &json!({})).unwrap();
    log.close().unwrap();
    let lines = place.lines(1);
    let test: Vec<String> =
        lines.iter().filter(|line| line.contains(r#""kind":"test""#)).map(|line| time(line)).collect();
    assert_eq!(
        test,
        [
            "2026-03-01T09:30:00.000000Z/-",
            "2026-03-01T09:30:00.000000Z/2026-03-01T08:30:00.000000Z",
            "2026-03-01T09:30:00.000000Z/2026-03-01T08:31:00.000000Z",
            "2026-03-01T09:31:00.000000Z/-",
        ]
    );
    place.verified();
}

#[test]
fn a_clock_that_jumps_to_any_time_breaks_nothing() {
    let place = Place::new();
    let log = place.open(place.settings());
    for seconds in [0, 1_000_000, 8_000_000_000, 1_000_000_000_000_000] {
        place.clock.advance(seconds);
        log.append("test", &json!({})).unwrap();
        place.clock.back(seconds);
        log.append("test", &json!({})).unwrap();
    }
    place.clock.back(1_772_357_400);
    log.append("test", &json!({})).unwrap();
    log.close().unwrap();
    place.verified();
    assert!(
        place
            .lines(1)
            .last()
            .unwrap()
            .contains(r#""time":"9999-12-31T23:59:59.999999Z","clock":"1970-01-01T"#)
    );
}
