//! What is handed on.

use std::sync::Arc;

use super::Make;
use super::rig::{Heard, KEEP, Rig, block_on, client, kept, unkept};
use crate::engine::{Event, Keep, Publish};

pub(super) fn the_publication_before_comes_along(make: Make<'_>) {
    let rig = Rig::watching(make, &["delta"]);
    let mut heard = Vec::new();
    let mut publish = |publish: Publish, offset, previous| {
        let data = format!("{}", heard.len());
        rig.publish("delta", Publish { delta: publish.delta, keep: publish.keep, ..kept(&data) });
        heard.push(Heard::Publication { offset, data, previous });
    };
    let with_delta = || Publish { delta: true, ..kept("") };
    publish(with_delta(), 1, None);
    publish(with_delta(), 2, Some(1));
    publish(kept(""), 3, None);
    publish(with_delta(), 4, Some(3));
    // Though the one before has no place in the history any more.
    publish(Publish { keep: Keep { size: 1, ..KEEP }, ..with_delta() }, 5, Some(4));
    publish(Publish { keep: Keep { size: 1, ..KEEP }, ..with_delta() }, 6, Some(5));
    publish(Publish { keep: Keep::default(), ..with_delta() }, 0, None);
    publish(with_delta(), 7, Some(6));
    rig.remove("delta");
    publish(with_delta(), 8, None);
    publish(with_delta(), 9, Some(8));
    let events = rig.seen.events("delta", heard.len());
    assert_eq!(events.iter().map(Heard::from).collect::<Vec<_>>(), heard);

    // It is the one that was handed on before, whole.
    let [
        ..,
        Event::Publication { publication: before, .. },
        Event::Publication { previous: Some(previous), .. },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(before, previous);
}

pub(super) fn announcements_keep_their_place(make: Make<'_>) {
    let rig = Rig::watching(make, &["room", "other"]);
    let (ann, bob) = (client("ann", "c1"), client("bob", "c2"));
    rig.announce("room", Event::Join(Arc::clone(&ann)));
    rig.publish("room", kept("one"));
    rig.announce("room", Event::Join(bob));
    rig.announce("room", Event::Leave(ann));
    rig.publish("room", unkept("two"));
    rig.announce("other", Event::Leave(client("cy", "c3")));
    let heard = [
        Heard::Join("c1".to_owned()),
        Heard::publication(1, "one"),
        Heard::Join("c2".to_owned()),
        Heard::Leave("c1".to_owned()),
        Heard::publication(0, "two"),
    ];
    assert_eq!(rig.seen.heard("room", 5), heard);
    assert_eq!(rig.seen.heard("other", 1), [Heard::Leave("c3".to_owned())]);
    assert_eq!(rig.offsets("room"), [1], "nothing is kept of it");
    assert_eq!(rig.all("other").position.offset, 0, "nothing is kept of it");
}

pub(super) fn watching_may_end_and_begin_again(make: Make<'_>) {
    let rig = Rig::new(make);
    // How often it is heard until something later is.
    let heard = |data: &str| {
        let offset = rig.publish("room", kept(data)).position.offset;
        let fence = rig.publish("room", kept("fence")).position.offset;
        let is = |event: &Event, offset| matches!(Heard::from(event), Heard::Publication { offset: it, .. } if it == offset);
        let events = rig.seen.until("room", |events| events.iter().any(|event| is(event, fence)));
        events.iter().filter(|event| is(event, offset)).count()
    };
    rig.watch("room");
    assert_eq!(heard("one"), 1, "watched");
    rig.watch("room");
    assert_eq!(heard("two"), 1, "watched twice");
    block_on(rig.engine.unwatch("room")).expect("watching can end");
    rig.publish("room", kept("unheard"));
    rig.watch("room");
    assert_eq!(heard("three"), 1, "watched again");
    block_on(rig.engine.unwatch("never watched")).expect("there is nothing to end");
    assert_eq!(rig.offsets("room"), [1, 2, 3, 4, 5, 6, 7], "what nobody watched is kept all the same");
}
