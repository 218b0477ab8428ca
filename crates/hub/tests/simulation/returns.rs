//! Clients with a session: they lose their transport, and come back on another worker's.

use antiphon_hub::protocol::ConnectRequest;
use bytes::Bytes;

use crate::common::{Heard, Peer, replies};
use crate::realm;
use crate::sim::{Mood, Sim, WORKERS};

impl Sim {
    pub(crate) fn has_session(&self, owner: usize) -> bool {
        self.clients[owner].mind.view.session().is_some()
    }

    /// The server notices that nobody listens on a connection. Its session waits, if it is one that can.
    pub(crate) fn detach(&mut self, number: u64) {
        // What was said until now was written.
        self.hear(number);
        let Some(link) = self.links.get_mut(&number) else { return };
        if !link.peer.session().tie().is_resumable() {
            return;
        }
        link.is_detached = link.peer.detach(&self.world);
        assert!(link.is_detached, "connection {number} waits");
    }

    /// A client says several things on a transport that dies: the server has the first of them, or none, and the client hears
    /// nothing.
    pub(crate) fn speak_into_the_void(&mut self, owner: usize, number: u64, channel: &str) -> String {
        let count = 1 + self.random.below(3);
        let messages: Vec<Bytes> = (0..count)
            .map(|_| {
                let data = self.data();
                self.clients[owner].mind.view.publish(channel, data)
            })
            .collect();
        self.turn_away(number, Mood::Sleeps);
        let arrived = self.random.below(count + 1);
        for message in messages.into_iter().take(arrived) {
            if self.links.contains_key(&number) {
                self.say(number, message);
            }
        }
        if self.links.contains_key(&number) && self.random.percent(50) {
            self.detach(number);
        }
        format!("client {owner} says {count} things in {channel}, of which {arrived} arrive")
    }

    /// A client that slept reads on, or comes back on another connection.
    pub(crate) fn wake_one(&mut self, number: u64) -> String {
        let link = &self.links[&number];
        let owner = link.owner;
        if !self.has_session(owner)
            || !link.is_detached && !self.clients[owner].mind.view.is_waiting() && self.random.percent(30)
        {
            self.turn_back(number);
            return format!("connection {number} wakes");
        }
        self.come_back(owner, number)
    }

    /// A client goes on with its session, on another connection.
    fn come_back(&mut self, owner: usize, number: u64) -> String {
        // Of what was written it has had some.
        let link = self.links.get_mut(&number).unwrap();
        let had = self.random.below(link.unread.len() + 1);
        let unread = std::mem::take(&mut link.unread);
        let mind = &mut self.clients[owner].mind;
        mind.hear(&mut self.truth, &unread[..had]);

        let expire_at = self.world.unix() + 100 + self.random.below(1000) as u64;
        let mut request = ConnectRequest::default();
        if !link.user.is_empty() {
            request.token = realm::connect_token(&link.user, expire_at, &link.info);
            link.expire_at = expire_at;
        }
        let encoding = link.peer.encoding;
        let mut new = Peer::new(&self.world, self.random.below(WORKERS.into()), encoding);
        new.receive(mind.view.go_on(request));
        new.turn(&self.world);
        let Some(Heard::TakeOver(take_over)) = new.take().pop() else {
            panic!("the session of connection {number} is not found");
        };
        // What was written to the last connection meanwhile is lost.
        self.hear(number);
        let (link, mind) = (self.links.get_mut(&number).unwrap(), &mut self.clients[owner].mind);
        link.unread.clear();
        assert_eq!(usize::from(take_over.worker), link.peer.worker, "where the session is");
        link.peer.take_over(&self.world, *take_over);
        let heard = link.peer.take();
        let Some((Heard::Aside(answer), rest)) = heard.split_first() else {
            panic!("connection {number} cannot go on: {heard:?}");
        };
        let answer = replies(answer, encoding).remove(0).connect.unwrap();
        assert!(answer.resumed && *answer.client == **link.peer.session().id(), "{answer:?}");

        link.mood = Mood::Reads;
        link.is_detached = false;
        mind.hear(&mut self.truth, rest);
        let ahead = link.ahead.take().unwrap();
        let all = |view: &crate::common::View| {
            let channels: Vec<_> =
                view.channels().map(|name| (name.to_owned(), view.position(name).cloned())).collect();
            (channels, view.session().unwrap().count, view.unheard(0).len())
        };
        assert_eq!(all(&mind.view), all(&ahead.view), "what the client knows, and what it was told");
        mind.view.pings = 0;
        self.told.resumed += 1;

        self.told.sent_again += mind.view.unheard(answer.n).len() as u64;
        // What the server has had may come again as well: it is passed over.
        let again = mind.view.unheard(if self.random.percent(50) { answer.n } else { 0 });
        for message in again {
            if self.links.contains_key(&number) {
                self.say(number, message);
            }
        }
        self.turn(number);
        format!("client {owner} comes back to connection {number}, had {had} of {}", unread.len())
    }
}
