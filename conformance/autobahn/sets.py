"""Named sets of Autobahn cases, and their division among processes.

    quick   112 cases, 10 to 20 seconds: each rule of framing, control frames, opcodes and closing, a
            sample of UTF-8 and fragmentation, and one size of each compression series
    core    301 cases: all but compression
    brief   361 cases, about 2 minutes: core, and of permessage-deflate every data set and every
            parameter set at the sizes that cost least
    full    all 517, about 10 minutes
"""

_CORE = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]
_CHEAP_SIZES = (1, 3, 5, 7, 11)  # of the 18 sizes of each permessage-deflate series

SETS = {
    "quick": [
        *("1.1.1 1.1.2 1.1.3 1.1.5 1.1.6 1.1.7 1.2.1 1.2.3 1.2.6 1.2.7".split()),
        *("2.* 3.* 4.*".split()),
        *("5.1 5.2 5.3 5.6 5.8 5.9 5.11 5.12 5.14 5.15 5.16 5.18 5.19 5.20".split()),
        *("6.1.* 6.2.* 6.3.1 6.4.1 6.4.2".split()),
        *("7.*".split()),
        *("10.1.1".split()),
        *(f"12.{series}.1" for series in range(1, 6)),
        *(f"13.{series}.1" for series in range(1, 8)),
    ],
    "core": _CORE,
    "brief": [
        *_CORE,
        *(f"12.{series}.{size}" for series in range(1, 6) for size in _CHEAP_SIZES),
        *(f"13.{series}.{size}" for series in range(1, 8) for size in _CHEAP_SIZES),
    ],
    "full": ["*"],
}

# Seconds that a permessage-deflate case takes, roughly, by the last number of its id.
_DEFLATE_SECONDS = (1, 1, 2, 2, 3, 3, 5, 9, 17, 35, 4, 7, 12, 20, 37, 31, 32, 33)


def patterns(names):
    """The case patterns that sets, ids and patterns on the command line stand for."""
    return [pattern for name in names for pattern in SETS.get(name, [name])]


def order(case):
    """A sort key: 12.1.2 before 12.1.10."""
    return [int(number) for number in case.split(".")]


def _seconds(case):
    number = order(case)
    if number[0] in (12, 13):
        return _DEFLATE_SECONDS[number[2] - 1]
    return 1 if number[0] == 9 or case in ("6.4.3", "6.4.4") else 0.05


def shares(cases, jobs):
    """Divides the cases into shares of about equal duration, the longest case first."""
    parts = [[0.0, []] for _ in range(max(1, min(jobs, len(cases))))]
    for case in sorted(cases, key=_seconds, reverse=True):
        least = min(parts, key=lambda part: part[0])
        least[0] += _seconds(case)
        least[1].append(case)
    return [sorted(part, key=order) for _, part in parts]
