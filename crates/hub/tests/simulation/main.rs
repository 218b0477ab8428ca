//! Thousands of clients in virtual time, who do what they like, with what must hold checked after every step.
//!
//! `ANTIPHON_SEED=n` plays one seed again, `ANTIPHON_LONG=1` many of them, for longer.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod acts;
mod check;
#[path = "../common/mod.rs"]
mod common;
mod mind;
mod realm;
mod returns;
mod sim;
mod truth;

use std::collections::VecDeque;

use realm::Climate;
use sim::Sim;

/// How much of a simulation is written down, for whoever has to find out what went wrong.
const TRACE: usize = 30;

/// What happened last, which is printed when a test fails.
struct Trace {
    seed: u64,
    last: VecDeque<String>,
}

impl Trace {
    fn note(&mut self, what: String) {
        if self.last.len() == TRACE {
            self.last.pop_front();
        }
        self.last.push_back(what);
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = self.last.make_contiguous().join("\n  ");
            eprintln!("play it again with ANTIPHON_SEED={}; what happened last:\n  {last}", self.seed);
        }
    }
}

/// The seeds to play: one that is asked for, some more where there is time, or those.
fn seeds(quick: &[u64]) -> Vec<u64> {
    if let Some(seed) = std::env::var("ANTIPHON_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return vec![seed];
    }
    if is_long() { (0..40).collect() } else { quick.to_vec() }
}

fn is_long() -> bool {
    std::env::var_os("ANTIPHON_LONG").is_some()
}

/// Everything is answered at once, and everything is checked after every step.
#[test]
fn thousands_of_clients_are_given_what_they_should() {
    let (clients, steps) = if is_long() { (4000, 100_000) } else { (2500, 20_000) };
    for seed in seeds(&[1]) {
        let mut trace = Trace { seed, last: VecDeque::new() };
        let climate = Climate { refreshes: seed % 4 == 3 };
        let mut sim = Sim::new(seed, clients, climate, false);
        sim.populate();
        sim.settle();
        for step in 0..steps {
            sim.step = step;
            if step % 50 == 0 {
                sim.change_backend();
            }
            trace.note(format!("step {step}:"));
            let what = sim.act();
            trace.note(what);
            sim.settle();
            sim.check_step();
            if step % 2000 == 1999 {
                sim.check_all();
            }
        }
        println!(
            "seed {seed}: {clients} clients, {steps} steps, {} publications, {:?}",
            sim.truth.count(),
            sim.told
        );
        sim.end();
    }
}

/// What an engine on a network and an application take their time for.
const LATE: &[&str] = &[
    "watch",
    "unwatch",
    "history",
    "announce",
    "publish",
    "add",
    "remove",
    "list",
    "stats",
    "refresh",
    "subscribe",
    "may publish",
    "sub_refresh",
    "rpc",
];

/// Everything is answered late, and in between anything happens. What each client is given is checked at once, all else when
/// everything has come to rest.
#[test]
fn late_answers_change_nothing() {
    let (clients, steps) = if is_long() { (400, 400_000) } else { (300, 60_000) };
    for seed in seeds(&[1, 3]) {
        let mut trace = Trace { seed, last: VecDeque::new() };
        let climate = Climate { refreshes: seed % 4 == 3 };
        let mut sim = Sim::new(seed, clients, climate, true);
        sim.world.desk.slow_down(LATE);
        for step in 0..steps {
            sim.step = step;
            if step % 50 == 0 {
                sim.change_backend();
            }
            trace.note(format!("step {step}:"));
            let what = sim.act_late();
            trace.note(what);
            if step % 3000 == 2999 {
                sim.rest();
                sim.check_all();
            }
        }
        println!(
            "seed {seed}: {clients} clients, {steps} steps, {} publications, {:?}",
            sim.truth.count(),
            sim.told
        );
        sim.world.desk.slow_down(&[]);
        sim.end();
    }
}
