use super::*;

const CASES: &str = include_str!("../../../../spec/cases/filter.json");

#[derive(Deserialize)]
struct File {
    matching: Vec<Matching>,
    invalid: Vec<Invalid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matching {
    filter: FilterNode,
    yes: Vec<BTreeMap<String, String>>,
    no: Vec<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invalid {
    filter: FilterNode,
    says: String,
}

#[test]
fn filters_let_through_what_they_say() {
    let file: File = serde_json::from_str(CASES).unwrap();
    let mut comparisons: Vec<String> = Vec::new();
    for Matching { filter, yes, no } in file.matching {
        assert_eq!(filter.validate(), Ok(()), "{filter:?}");
        for (tags, expected) in yes.iter().map(|tags| (tags, true)).chain(no.iter().map(|tags| (tags, false)))
        {
            assert_eq!(filter.matches(tags), expected, "{filter:?} of {tags:?}");
        }
        assert!(!yes.is_empty() && !no.is_empty(), "{filter:?} is seen from one side only");
        comparisons.push(if filter.op.is_empty() { filter.cmp } else { filter.op });
    }
    for name in [
        "eq", "neq", "in", "nin", "ex", "nex", "sw", "ew", "ct", "lt", "lte", "gt", "gte", "and", "or", "not",
    ] {
        assert!(comparisons.iter().any(|seen| seen == name), "{name} is not among the cases");
    }
}

#[test]
fn filters_without_sense_are_refused() {
    let file: File = serde_json::from_str(CASES).unwrap();
    for Invalid { filter, says } in file.invalid {
        let error = filter.validate().expect_err(&says);
        assert!(error.contains(&says), "{filter:?}: {error}");
        filter.matches(&BTreeMap::new());
        // What lies deeper is looked at as well.
        let under = |op: &str, nodes| FilterNode { op: op.into(), nodes, ..Default::default() };
        assert_eq!(under("and", vec![leaf(), under("not", vec![filter])]).validate(), Err(error));
    }
}

fn leaf() -> FilterNode {
    FilterNode { key: "k".into(), cmp: "ex".into(), ..Default::default() }
}

/// So many nodes within one another.
fn deep(depth: usize) -> FilterNode {
    (1..depth).fold(leaf(), |node, _| FilterNode {
        op: "not".into(),
        nodes: vec![node],
        ..Default::default()
    })
}

/// An `or` of so many comparisons with one value of so many bytes each.
fn wide(count: usize, bytes: usize) -> FilterNode {
    let node = FilterNode { key: "k".into(), cmp: "eq".into(), val: "v".repeat(bytes), ..Default::default() };
    FilterNode { op: "or".into(), nodes: vec![node; count], ..Default::default() }
}

/// A comparison with so many values of so many bytes each.
fn long(count: usize, bytes: usize) -> FilterNode {
    FilterNode {
        key: "k".into(),
        cmp: "in".into(),
        vals: vec!["v".repeat(bytes); count],
        ..Default::default()
    }
}

#[test]
fn filters_have_a_limit() {
    for (largest, too_large, says) in [
        (deep(16), deep(17), "16 nodes within one another"),
        (wide(255, 1), wide(256, 1), "256 nodes"),
        (long(1024, 1), long(1025, 1), "1024 values"),
        (long(1, 65_533), long(1, 65_534), "65536 bytes"),
        (wide(16, 4092), wide(16, 4096), "65536 bytes"),
    ] {
        assert_eq!(largest.validate(), Ok(()), "{says}");
        assert!(too_large.validate().is_err_and(|error| error.contains(says)), "{says}");
    }
    // Far deeper than a decoder gives.
    assert!(deep(5000).validate().is_err());
}
