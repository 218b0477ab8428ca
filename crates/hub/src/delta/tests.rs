use allocation_counter::measure;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const CASES: &str = include_str!("../../../../spec/cases/delta.json");

/// Enough for every test here.
const LIMIT: usize = 1 << 20;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    old: String,
    new: Option<String>,
    delta: String,
    limit: Option<usize>,
    error: Option<String>,
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn differences_of_others_are_applied() {
    let file: File = serde_json::from_str(CASES).unwrap();
    for case in &file.cases {
        let (old, limit) = (bytes(&case.old), case.limit.unwrap_or(LIMIT));
        let outcome = apply(&old, &bytes(&case.delta), limit).map_err(|error| match error {
            DeltaError::Malformed => "malformed",
            DeltaError::TooLarge { .. } => "too large",
            DeltaError::WrongBase => "wrong base",
        });
        let expected = case.new.as_deref().map(bytes).ok_or(case.error.as_deref().unwrap_or_default());
        assert_eq!(outcome, expected, "{}", case.name);
    }
    assert!(file.cases.len() > 30, "cases are missing");
}

#[test]
fn ours_are_about_as_short_as_those_of_others() {
    let file: File = serde_json::from_str(CASES).unwrap();
    let (mut ours, mut theirs) = (0, 0);
    for case in &file.cases {
        if let Some(new) = case.new.as_deref().map(bytes) {
            ours += create(&bytes(&case.old), &new).len();
            theirs += bytes(&case.delta).len();
        }
    }
    assert!(ours <= theirs + theirs / 20, "{ours} bytes in all, and {theirs} would do");
}

#[test]
fn differences_are_written_as_the_format_says() {
    const OBJECT: &str = r#"{"a":1,"b":"0123456789abcdefghijklmnopqrstuv"}"#;
    for (old, new, delta) in [
        ("", "", "0\n0;"),
        (OBJECT, "", "0\n0;"),
        ("", "a", "1\n1:a1X0000;"),
        // As Fossil has it, 16 bytes of old data are not looked at.
        ("0123456789abcdef", "0123456789abcdef", "G\nG:0123456789abcdef12xn;"),
        (OBJECT, OBJECT, "j\nj@0,3khBHO;"),
        (
            OBJECT,
            r#"{"a":1,"b":"0123456789abcdefghijklmnopqrstuv","c":true}"#,
            "s\ni@0,A:,\"c\":true}26~xWi;",
        ),
        (OBJECT, r#"{"b":"0123456789abcdefghijklmnopqrstuv","a":1}"#, "j\n1:{b@7,7:,\"a\":1}3r5qm3;"),
    ] {
        assert_eq!(String::from_utf8(create(old.as_bytes(), new.as_bytes())).unwrap(), delta, "{new}");
    }
}

#[test]
fn data_that_repeats_itself_is_copied() {
    let row = |number: usize| {
        format!("{{\"id\":{number},\"name\":\"row {number}\",\"value\":{}}},", number * number)
    };
    let table: String = (0..2000).map(row).collect();
    for (name, new, bytes) in [
        ("halves changed places", [&table[40_000..], &table[..40_000]].concat(), 30),
        (
            "every tenth row is missing",
            (0..2000).filter(|number| number % 10 > 0).map(row).collect(),
            200 * 10,
        ),
        ("each row twice", (0..2000).flat_map(|number| [row(number), row(number)]).collect(), 2000 * 18),
        ("zeros", "0".repeat(65_536), 66_000),
    ] {
        let delta = create(table.as_bytes(), new.as_bytes());
        assert_eq!(apply(table.as_bytes(), &delta, LIMIT).as_deref(), Ok(new.as_bytes()), "{name}");
        assert!(delta.len() < bytes, "{name}: {} bytes", delta.len());
    }
    let (old, new) = ("ab".repeat(30_000), "ab".repeat(32_000));
    let delta = create(old.as_bytes(), new.as_bytes());
    assert_eq!(apply(old.as_bytes(), &delta, LIMIT).as_deref(), Ok(new.as_bytes()));
    assert!(delta.len() < 30, "{} bytes", delta.len());
}

#[test]
fn a_difference_that_makes_more_than_it_says_takes_no_more() {
    let old = [b'x'; 4096];
    for commands in
        ["10@0,".repeat(100), format!("2@0,{}", "~~@0,".repeat(100)), format!("~~:{}", "x".repeat(4095))]
    {
        let delta = format!("2\n{commands}0;");
        let mut made = Ok(Vec::new());
        let heap = measure(|| made = apply(&old, delta.as_bytes(), LIMIT));
        assert_eq!(made, Err(DeltaError::Malformed));
        assert!(heap.bytes_max <= 2, "{} bytes", heap.bytes_max);
    }
}

/// Old data, and new data that is put together of its pieces and of others.
fn pair(alphabet: &'static str) -> impl Strategy<Value = (String, String)> {
    let letters: Vec<char> = alphabet.chars().collect();
    let text = |most| vec(prop::sample::select(letters.clone()), 0..most).prop_map(String::from_iter);
    let pieces = vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), text(20)), 0..8);
    (text(400), pieces).prop_map(|(old, pieces)| {
        let mut new = String::new();
        for (from, length, other) in pieces {
            let old: Vec<char> = old.chars().collect();
            let rest = &old[from.index(old.len() + 1)..];
            new.extend(&rest[..length.index(rest.len() + 1)]);
            new.push_str(&other);
        }
        (old, new)
    })
}

proptest! {
    #[test]
    fn what_was_taken_apart_comes_together(
        (old, new) in prop_oneof![pair("ab"), pair("0123456789abcdef{}\","), pair("éèぁあ😀😁a"), pair("a")],
    ) {
        let delta = create(old.as_bytes(), new.as_bytes());
        let made = apply(old.as_bytes(), &delta, new.len());
        prop_assert_eq!(made.as_deref(), Ok(new.as_bytes()));
        prop_assert!(std::str::from_utf8(&delta).is_ok(), "a character of {:?} is divided", new);
        if !new.is_empty() {
            let (size, limit) = (new.len(), new.len() - 1);
            prop_assert_eq!(apply(old.as_bytes(), &delta, limit), Err(DeltaError::TooLarge { size, limit }));
        }
    }

    #[test]
    fn any_bytes_come_together(
        old in vec(prop_oneof![any::<u8>(), Just(0x80), Just(0xC3)], 0..300),
        edits in vec((any::<prop::sample::Index>(), 0_usize..20, vec(any::<u8>(), 0..9)), 0..5),
    ) {
        let mut new = old.clone();
        for (at, cut, put) in edits {
            let at = at.index(new.len() + 1);
            new.splice(at..new.len().min(at + cut), put);
        }
        let made = apply(&old, &create(&old, &new), LIMIT);
        prop_assert_eq!(made.as_deref(), Ok(&new[..]));
    }

    #[test]
    fn junk_is_refused_or_stays_within_the_limit(
        old in vec(any::<u8>(), 0..64),
        junk in prop_oneof![vec(any::<u8>(), 0..64), "[0-9A~]{1,3}\n([0-9A]{1,2}(@[0-9A],|:[a-z]{0,12}|;|~)){0,6}".prop_map(String::into_bytes)],
        limit in 0_usize..200,
    ) {
        let heap = measure(|| drop(apply(&old, &junk, limit)));
        prop_assert!(heap.bytes_max <= limit as u64, "{} bytes", heap.bytes_max);
    }

    #[test]
    fn a_difference_that_was_cut_is_refused((old, new) in pair("abcdefgh"), cut in any::<prop::sample::Index>()) {
        let delta = create(old.as_bytes(), new.as_bytes());
        prop_assert_eq!(apply(old.as_bytes(), &delta[..cut.index(delta.len())], LIMIT), Err(DeltaError::Malformed));
    }

    #[test]
    fn a_fault_in_a_difference_ends_well(
        (old, new) in pair("abcdefgh"), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut delta = create(old.as_bytes(), new.as_bytes());
        let at = at.index(delta.len());
        delta[at] = byte;
        if let Ok(made) = apply(old.as_bytes(), &delta, new.len()) {
            prop_assert_eq!((made.len(), checksum(&made)), (new.len(), checksum(new.as_bytes())));
        }
    }
}
