//! Happy Eyeballs in virtual time: an attempt is a delay and its outcome.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;

fn address(last: u8, v6: bool) -> SocketAddr {
    let text = if v6 { format!("[2001:db8::{last}]:443") } else { format!("192.0.2.{last}:443") };
    text.parse().unwrap()
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Counts itself as dropped.
struct Guard(Rc<Cell<usize>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn families_alternate_and_the_resolvers_first_choice_stays_first() {
    let (v6, v4) = (|n| address(n, true), |n| address(n, false));
    assert_eq!(interleave(&[v6(1), v6(2), v6(3), v4(1)]), [v6(1), v4(1), v6(2), v6(3)]);
    assert_eq!(interleave(&[v4(1), v4(2), v6(1), v6(2)]), [v4(1), v6(1), v4(2), v6(2)]);
    assert_eq!(interleave(&[v6(1), v4(1), v4(2), v4(3)]), [v6(1), v4(1), v4(2), v4(3)]);
    let many: Vec<_> = (0..=255).map(|n| address(n, n % 2 == 0)).collect();
    assert_eq!(interleave(&many).len(), MAX_ADDRESSES);
}

#[tokio::test(start_paused = true)]
async fn the_second_address_starts_after_250_ms_and_wins_over_a_black_hole() {
    let dropped = Rc::new(Cell::new(0));
    let started = RefCell::new(Vec::new());
    let begin = Instant::now();
    let addresses = [address(1, true), address(2, false), address(3, true)];
    let won = race(&addresses, far(), |to| {
        started.borrow_mut().push((to, begin.elapsed().as_millis()));
        let guard = Guard(Rc::clone(&dropped));
        async move {
            let _guard = guard;
            if to.is_ipv6() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(to)
        }
    })
    .await;
    assert_eq!(won.unwrap(), (addresses[1], addresses[1]));
    assert_eq!(*started.borrow(), [(addresses[0], 0), (addresses[1], 250)]);
    assert_eq!(begin.elapsed().as_millis(), 270);
    assert_eq!(dropped.get(), 2, "the attempt that lost was not cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_failure_starts_the_next_at_once_and_all_errors_are_kept() {
    let begin = Instant::now();
    let addresses = [address(1, true), address(2, false), address(3, true)];
    let failed = race(&addresses, far(), |to| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Err::<(), _>(io::Error::other(format!("no {to}")))
    })
    .await
    .unwrap_err();
    assert_eq!(begin.elapsed().as_millis(), 30);
    let texts: Vec<_> = failed.iter().map(ToString::to_string).collect();
    assert_eq!(texts, addresses.map(|to| format!("{to}: no {to}")));
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_address_still_wins_if_it_answers_first() {
    let addresses = [address(1, true), address(2, false)];
    let won = race(&addresses, far(), |to| async move {
        tokio::time::sleep(Duration::from_millis(if to.is_ipv6() { 300 } else { 100 })).await;
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(won.1, addresses[0]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_names_what_failed_and_what_never_answered() {
    let addresses = [address(1, true), address(2, false), address(3, true)];
    let deadline = Instant::now() + Duration::from_secs(1);
    let failed = race(&addresses, deadline, |to| async move {
        if to.is_ipv4() {
            return Err(io::Error::other("unreachable"));
        }
        std::future::pending::<io::Result<()>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(Instant::now(), deadline);
    let kinds: Vec<_> = failed.iter().map(|attempt| (attempt.address, attempt.error.kind())).collect();
    assert_eq!(
        kinds,
        [
            (addresses[1], io::ErrorKind::Other),
            (addresses[0], io::ErrorKind::TimedOut),
            (addresses[2], io::ErrorKind::TimedOut),
        ]
    );
}

#[tokio::test]
async fn an_answer_without_an_address_is_an_error_that_names_the_host() {
    #[derive(Debug)]
    struct Empty;
    impl Resolve for Empty {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }
    let error = look_up(&Empty, &Host::Name("a.test".into()), 443).await.unwrap_err();
    assert!(error.to_string().contains("a.test"), "{error}");
}
