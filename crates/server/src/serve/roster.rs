//! The connections of one worker: their deadlines, and how all of them are woken at once.
//!
//! A timer for each connection would cost more memory than the connection. So a worker has one wheel of slots, 100 ms
//! each, and one task that wakes whoever sits in a slot whose time has come. A connection sits in at most one slot, and one
//! that is woken early looks at its own deadlines and sits down again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::Notify;

/// While draining, so often some connections are told.
const DRAIN_STEP: Duration = Duration::from_millis(10);
const TICK: Duration = Duration::from_millis(100);
/// Slots of the wheel: 51.2 s. Who wants to sleep longer is woken then, and sits down again.
const SLOTS: usize = 512;

/// The connections of one worker.
#[derive(Debug)]
pub(crate) struct Roster {
    inner: RefCell<Inner>,
    draining: Cell<bool>,
    /// While draining, whoever has a seat with a lower number has been told to end.
    told: Cell<u32>,
    /// The wheel has to turn earlier than its task sleeps.
    earlier: Notify,
    /// The last connection has gone.
    empty: Notify,
}

#[derive(Debug)]
struct Inner {
    seats: Slab<Occupant>,
    slots: Box<[Vec<u32>]>,
    epoch: Instant,
    /// Every slot up to this tick has been emptied.
    turned: u64,
    /// The tick up to which the wheel's task sleeps.
    sleeping: u64,
}

#[derive(Debug)]
struct Occupant {
    waker: Option<Waker>,
    /// When it is to be woken, and its place in that slot.
    slot: Option<(u64, u32)>,
}

impl Roster {
    pub(crate) fn new(now: Instant) -> Self {
        let inner = Inner {
            seats: Slab::new(),
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            epoch: now,
            turned: 0,
            sleeping: u64::MAX,
        };
        Self {
            inner: RefCell::new(inner),
            draining: Cell::new(false),
            told: Cell::new(0),
            earlier: Notify::new(),
            empty: Notify::new(),
        }
    }

    /// A place for a connection, for as long as it holds the seat.
    pub(crate) fn seat(self: &Rc<Self>) -> Seat {
        let key = self.inner.borrow_mut().seats.insert(Occupant { waker: None, slot: None });
        Seat { roster: Rc::clone(self), key: u32::try_from(key).unwrap_or(u32::MAX) }
    }

    /// Whether the worker is going to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Tells every connection to end, spread over `window` so that not all of them come back elsewhere at once. A few take less: each
    /// connection needs a millisecond at most.
    pub(crate) async fn drain(&self, window: Duration) {
        self.draining.set(true);
        let seats = self.inner.borrow().seats.capacity();
        let count = u32::try_from(seats).unwrap_or(u32::MAX);
        let window = window.min(Duration::from_millis(count.into()));
        let steps = u32::try_from(window.as_millis() / DRAIN_STEP.as_millis()).unwrap_or(u32::MAX).max(1);
        for step in 1..=steps {
            let end =
                u32::try_from(u64::from(count) * u64::from(step) / u64::from(steps)).unwrap_or(u32::MAX);
            self.tell_below(end);
            if step < steps {
                tokio::time::sleep(DRAIN_STEP).await;
            }
        }
        self.tell_below(u32::MAX);
    }

    /// Tells the connections whose seats have lower numbers to end, those that have been told apart.
    fn tell_below(&self, end: u32) {
        let told = self.told.replace(end);
        let wakers: Vec<Waker> = {
            let inner = self.inner.borrow();
            let meant = inner.seats.iter().filter(|(key, _)| (told as usize..end as usize).contains(key));
            meant.filter_map(|(_, occupant)| occupant.waker.clone()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until there is no connection.
    pub(crate) async fn emptied(&self) {
        while !self.inner.borrow().seats.is_empty() {
            self.empty.notified().await;
        }
    }

    /// Turns the wheel, for ever.
    pub(crate) async fn turn(&self) {
        loop {
            let wake_at = {
                let mut inner = self.inner.borrow_mut();
                inner.sleeping = inner.next_tick().unwrap_or(u64::MAX);
                inner.next_tick().map(|tick| inner.time_of(tick))
            };
            let sleep = async {
                match wake_at {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = self.earlier.notified() => {}
            }
            let due = self.inner.borrow_mut().due(Instant::now());
            due.into_iter().for_each(Waker::wake);
        }
    }
}

impl Inner {
    fn time_of(&self, tick: u64) -> Instant {
        self.epoch + Duration::from_millis(tick.saturating_mul(TICK.as_millis() as u64))
    }

    /// The tick that ends at or after `at`.
    fn tick_of(&self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.epoch).as_millis();
        u64::try_from(passed.div_ceil(TICK.as_millis())).unwrap_or(u64::MAX)
    }

    /// The next tick at which somebody is to be woken.
    fn next_tick(&self) -> Option<u64> {
        let ahead = self.turned + 1..=self.turned + SLOTS as u64;
        ahead.into_iter().find(|tick| !self.slots[slot_of(*tick)].is_empty())
    }

    /// Takes everybody out of the slots whose time has come.
    fn due(&mut self, now: Instant) -> Vec<Waker> {
        // The last tick that has wholly passed.
        let passed = now.saturating_duration_since(self.epoch).as_millis() / TICK.as_millis();
        let last = u64::try_from(passed).unwrap_or(u64::MAX);
        let mut wakers = Vec::new();
        for tick in (self.turned + 1..=last).take(SLOTS) {
            for key in self.slots[slot_of(tick)].drain(..) {
                if let Some(occupant) = self.seats.get_mut(key as usize) {
                    occupant.slot = None;
                    wakers.extend(occupant.waker.clone());
                }
            }
        }
        self.turned = self.turned.max(last);
        wakers
    }

    fn arm(&mut self, key: u32, at: Instant) -> bool {
        let tick = self.tick_of(at).clamp(self.turned + 1, self.turned + SLOTS as u64);
        if self.seats[key as usize].slot.is_some_and(|(armed, _)| armed <= tick) {
            return false;
        }
        self.disarm(key);
        let slot = &mut self.slots[slot_of(tick)];
        self.seats[key as usize].slot = Some((tick, slot.len() as u32));
        slot.push(key);
        tick < self.sleeping
    }

    fn disarm(&mut self, key: u32) {
        let Some((tick, place)) = self.seats[key as usize].slot.take() else { return };
        let slot = &mut self.slots[slot_of(tick)];
        slot.swap_remove(place as usize);
        // The last of the slot has moved to the place that is free now.
        if let Some(&moved) = slot.get(place as usize) {
            self.seats[moved as usize].slot = Some((tick, place));
        }
    }
}

fn slot_of(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}

/// One connection's place in its worker's [`Roster`].
#[derive(Debug)]
pub(crate) struct Seat {
    roster: Rc<Roster>,
    key: u32,
}

impl Seat {
    /// Sees to it that the current task is woken when the worker drains, and at `deadline` at the latest if there is one.
    pub(crate) fn register(&self, cx: &Context<'_>, deadline: Option<Instant>) {
        let mut inner = self.roster.inner.borrow_mut();
        let waker = &mut inner.seats[self.key as usize].waker;
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        if let Some(deadline) = deadline
            && inner.arm(self.key, deadline)
        {
            inner.sleeping = 0;
            self.roster.earlier.notify_one();
        }
    }

    /// Whether it is this connection's turn to end.
    fn is_told(&self) -> bool {
        self.key < self.roster.told.get()
    }

    /// Ready when the worker drains and it is this connection's turn to end.
    pub(crate) fn poll_draining(&self, cx: &Context<'_>) -> Poll<()> {
        if self.is_told() {
            return Poll::Ready(());
        }
        self.register(cx, None);
        Poll::Pending
    }

    /// Wakes the task that registered last.
    pub(crate) fn wake(&self) {
        let waker = self.roster.inner.borrow().seats[self.key as usize].waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.roster.inner.borrow_mut();
        inner.disarm(self.key);
        inner.seats.remove(self.key as usize);
        let empty = inner.seats.is_empty();
        drop(inner);
        if empty {
            self.roster.empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn after(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_is_woken_once_when_its_time_has_come() {
        let start = Instant::now();
        let roster = Rc::new(Roster::new(start));
        let sleepers: Vec<_> = [250, 50, 250, 40_000, 90_000]
            .map(|ms| {
                let (seat, count) = (roster.seat(), Arc::new(Count::default()));
                let waker = Waker::from(Arc::clone(&count));
                seat.register(&Context::from_waker(&waker), Some(start + after(ms)));
                // A later deadline does not move it.
                seat.register(&Context::from_waker(&waker), Some(start + after(ms + 500)));
                (seat, count)
            })
            .into();
        let woken_at = |ms: u64| {
            let due = roster.inner.borrow_mut().due(start + after(ms));
            due.into_iter().for_each(Waker::wake);
            sleepers.iter().map(|(_, count)| count.0.load(Ordering::Relaxed)).collect::<Vec<_>>()
        };
        assert_eq!(woken_at(99), [0, 0, 0, 0, 0]);
        assert_eq!(woken_at(100), [0, 1, 0, 0, 0]);
        assert_eq!(woken_at(299), [0, 1, 0, 0, 0]);
        assert_eq!(woken_at(300), [1, 1, 1, 0, 0]);
        assert_eq!(woken_at(39_999), [1, 1, 1, 0, 0]);
        assert_eq!(woken_at(40_000), [1, 1, 1, 1, 0]);
        // Beyond the wheel: woken early rather than late.
        assert_eq!(woken_at(60_000), [1, 1, 1, 1, 1]);
    }

    #[test]
    fn who_has_left_holds_nothing() {
        let start = Instant::now();
        let roster = Rc::new(Roster::new(start));
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut seats: Vec<_> = (0..10).map(|_| roster.seat()).collect();
        for seat in &seats {
            seat.register(&Context::from_waker(&waker), Some(start + after(50)));
        }
        // From the front, the middle and the end of the slot.
        for gone in [0, 4, 7] {
            seats.remove(gone);
        }
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 1 + seats.len());
        assert_eq!(roster.inner.borrow_mut().due(start + after(100)).len(), seats.len());
        drop(seats);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    /// Time passes by itself here when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn a_drain_tells_everybody_once_and_not_all_at_once() {
        for (connections, window, expected) in
            [(1, 10_000, 0), (50, 10_000, 63), (5000, 1000, 1000), (200, 0, 0)]
        {
            let start = tokio::time::Instant::now();
            let roster = Rc::new(Roster::new(start.into_std()));
            let seats: Vec<_> =
                (0..connections).map(|_| (roster.seat(), Arc::new(Count::default()))).collect();
            for (seat, count) in &seats {
                let waker = Waker::from(Arc::clone(count));
                assert!(seat.poll_draining(&Context::from_waker(&waker)).is_pending());
            }
            let halfway = async {
                tokio::time::sleep(after(expected / 2)).await;
                seats.iter().filter(|(seat, _)| seat.is_told()).count()
            };
            let ((), at_half) = tokio::join!(roster.drain(after(window)), halfway);
            assert!(expected == 0 || (1..connections).contains(&at_half), "{at_half} of {connections}");
            assert!(roster.is_draining());
            assert!(seats.iter().all(|(_, count)| count.0.load(Ordering::Relaxed) == 1));
            let waker = Waker::from(Arc::new(Count::default()));
            assert!(
                seats.iter().all(|(seat, _)| seat.poll_draining(&Context::from_waker(&waker)).is_ready())
            );
            let late = roster.seat();
            assert!(late.poll_draining(&Context::from_waker(&waker)).is_ready());
            let took = u64::try_from(start.elapsed().as_millis()).unwrap();
            assert!(took.abs_diff(expected) <= 20, "{connections} in {window} ms: {took} ms");
        }
    }

    #[test]
    fn a_sooner_deadline_wins() {
        let start = Instant::now();
        let roster = Rc::new(Roster::new(start));
        let seat = roster.seat();
        let waker = Waker::from(Arc::new(Count::default()));
        seat.register(&Context::from_waker(&waker), Some(start + after(5000)));
        seat.register(&Context::from_waker(&waker), Some(start + after(200)));
        assert_eq!(roster.inner.borrow_mut().due(start + after(200)).len(), 1);
        assert_eq!(roster.inner.borrow_mut().due(start + after(6000)).len(), 0);
    }
}
