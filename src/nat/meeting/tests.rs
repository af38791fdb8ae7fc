//! Meetings by the clock: what is sent when, and that it is bounded.

use super::*;
use crate::nat::{Budget, DIAL_BYTES, PUNCH_BYTES};

const OUTSIDE: &str = "198.51.100.7:7922";
const INSIDE: &str = "10.0.0.2:7922";
const V6: &str = "[2001:db8::7]:7922";

fn terms(role: Role, places: &[&str]) -> Terms {
    Terms {
        begin: at(1000),
        role,
        places: places.iter().map(|it| it.parse().unwrap()).collect(),
        near: Near::Far,
        prospect: Prospect::Good,
    }
}

fn at(ms: u64) -> Moment {
    Moment::ORIGIN + Duration::from_millis(ms)
}

/// All that a meeting does by itself, with when, in milliseconds from its beginning.
fn course(terms: Terms) -> Vec<(u64, Output)> {
    let mut meeting = Meeting::new(terms);
    let mut all = Vec::new();
    while let Some(now) = meeting.deadline() {
        meeting.handle(now, Input::Wake);
        let ms = now.as_micros() / 1000 - 1000;
        all.extend(std::iter::from_fn(|| meeting.poll_output()).map(|it| (ms, it)));
    }
    all
}

fn dials(course: &[(u64, Output)]) -> Vec<(u64, String)> {
    let dial = |(ms, output): &(u64, Output)| match output {
        Output::Dial(at) => Some((*ms, at.to_string())),
        Output::Punch(_) | Output::Relay | Output::GiveUp => None,
    };
    course.iter().filter_map(dial).collect()
}

#[test]
fn who_waits_punches_eight_times_asks_for_a_relay_and_gives_up() {
    let course = course(terms(Role::Waiter, &[OUTSIDE]));
    let place = OUTSIDE.parse().unwrap();
    let mut expected: Vec<(u64, Output)> = PUNCHES.map(|ms| (ms, Output::Punch(place))).into();
    expected.insert(7, (1000, Output::Relay));
    expected.push((3000, Output::GiveUp));
    assert_eq!(course, expected);
}

#[test]
fn who_dials_begins_with_its_own_network_then_ipv6_then_ipv4() {
    let mut near = terms(Role::Dialer, &[OUTSIDE, INSIDE, V6]);
    near.near = Near::Network;
    let expected = [(0, INSIDE.into()), (50, V6.into()), (100, OUTSIDE.into())];
    assert_eq!(dials(&course(near)), expected);
    let far = terms(Role::Dialer, &[OUTSIDE, INSIDE, V6]);
    assert_eq!(
        dials(&course(far)),
        expected[1..],
        "a private place of a stranger's is nothing"
    );
}

#[test]
fn three_dials_are_under_way_and_another_when_one_has_failed() {
    let places: Vec<String> = (1..=8).map(|it| format!("198.51.100.{it}:7922")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let mut meeting = Meeting::new(terms(Role::Dialer, &places));
    let mut dialed = |now, input| {
        meeting.handle(at(now), input);
        let outputs = std::iter::from_fn(|| meeting.poll_output());
        outputs.filter(|it| matches!(it, Output::Dial(_))).count()
    };
    assert_eq!(
        (dialed(1099, Input::Wake), dialed(1100, Input::Wake)),
        (0, 3)
    );
    assert_eq!(
        (
            dialed(1200, Input::Wake),
            dialed(1300, Input::DialFailed(places[0].parse().unwrap()))
        ),
        (0, 1)
    );
}

#[test]
fn a_dial_for_which_there_is_no_room_waits() {
    let mut meeting = Meeting::new(terms(Role::Dialer, &[OUTSIDE]));
    let place = OUTSIDE.parse().unwrap();
    let dials = |meeting: &mut Meeting| {
        let outputs = std::iter::from_fn(|| meeting.poll_output());
        outputs.filter(|it| *it == Output::Dial(place)).count()
    };
    meeting.handle(at(1100), Input::Wake);
    assert_eq!(dials(&mut meeting), 1);
    meeting.handle(at(1100), Input::Postponed(place));
    meeting.handle(at(1299), Input::Wake);
    assert_eq!((dials(&mut meeting), meeting.is_dialing(place)), (0, false));
    meeting.handle(at(1300), Input::Wake);
    assert_eq!((dials(&mut meeting), meeting.is_dialing(place)), (1, true));
}

#[test]
fn a_connection_ends_it() {
    let mut meeting = Meeting::new(terms(Role::Dialer, &[OUTSIDE]));
    meeting.handle(at(1100), Input::Wake);
    meeting.handle(at(1150), Input::Connected);
    assert!(meeting.is_over() && meeting.poll_output().is_none());
    assert_eq!(meeting.deadline(), None);
    meeting.handle(at(9000), Input::Wake);
    assert_eq!(meeting.poll_output(), None);
}

#[test]
fn where_punches_cannot_help_there_is_the_relay_at_once_and_nothing_else() {
    let mut hopeless = terms(Role::Dialer, &[OUTSIDE]);
    hopeless.prospect = Prospect::None;
    assert_eq!(
        course(hopeless),
        [(0, Output::Relay), (3000, Output::GiveUp)]
    );
}

#[test]
fn where_punches_may_not_help_the_relay_follows_soon_and_they_go_on() {
    let mut doubtful = terms(Role::Waiter, &[OUTSIDE]);
    doubtful.prospect = Prospect::Doubtful;
    let place = OUTSIDE.parse().unwrap();
    let mut expected: Vec<(u64, Output)> = PUNCHES.map(|ms| (ms, Output::Punch(place))).into();
    expected.insert(6, (500, Output::Relay));
    expected.push((3000, Output::GiveUp));
    assert_eq!(course(doubtful), expected);
}

#[test]
fn rounds_that_were_slept_through_are_not_made_up_for() {
    let mut meeting = Meeting::new(terms(Role::Waiter, &[OUTSIDE]));
    meeting.handle(at(1900), Input::Wake);
    let punches = std::iter::from_fn(|| meeting.poll_output()).count();
    assert_eq!(punches, 1);
    assert_eq!(meeting.deadline(), Some(at(2000)));
}

#[test]
fn the_worst_that_an_invitation_can_name_is_bounded() {
    let many: Vec<String> = (1..=99).map(|it| format!("198.51.100.{it}:7922")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let course = course(terms(Role::Dialer, &many));
    let punches = course.iter().filter(|it| matches!(it.1, Output::Punch(_)));
    assert_eq!(
        (punches.count(), dials(&course).len()),
        (8 * 8, DIALS_AT_ONCE)
    );
    let bytes = 64 * PUNCH_BYTES + 3 * DIAL_BYTES;
    assert!(bytes <= 36 * 1024, "{bytes}");
    // one such meeting at once is what a node's budget carries
    let mut budget = Budget::default();
    assert!((0..3).all(|_| budget.take(at(0), DIAL_BYTES)));
    assert!(!budget.take(at(0), DIAL_BYTES));
}

#[test]
fn a_stranger_can_name_nothing_that_may_not_be_tried() {
    let bad = [
        "127.0.0.1:7922",
        "10.0.0.1:7922",
        "198.51.100.7:53",
        "255.255.255.255:7922",
    ];
    let course = course(terms(Role::Dialer, &bad));
    assert_eq!(course, [(1000, Output::Relay), (3000, Output::GiveUp)]);
}

#[test]
fn attempts_grow_rare() {
    let seconds = [1, 2, 3, 4, 5, 255].map(|attempts| pause(attempts).as_secs());
    assert_eq!(seconds, [5, 35, 120, 600, 600, 600]);
}
