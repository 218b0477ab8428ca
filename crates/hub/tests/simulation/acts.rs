//! What may happen.

use antiphon_hub::backend::{RefreshAnswer, SubscribeGrant};
use antiphon_hub::engine::{Engine as _, Idempotency, Keep, Version};
use antiphon_hub::protocol::{
    ChannelRequest, ConnectRequest, Disconnect, HistoryRequest, RefreshRequest, RpcRequest,
    SubRefreshRequest, SubscribeRequest, Unsubscribed,
};
use antiphon_hub::{Control, Order, Whom};
use bytes::Bytes;
use serde_json::json;

use crate::common::{self, publish};
use crate::realm::{self, COLOURS};
use crate::sim::{Mood, Sim};

impl Sim {
    /// One thing happens. What it was.
    pub(crate) fn act(&mut self) -> String {
        let kind = self.random.below(100);
        match kind {
            0..10 => self.pass(),
            10..35 => self.publish_by_server(),
            35..39 => self.order(),
            39 if self.random.percent(20) => self.remove_history(),
            39..43 => self.wake(),
            _ => self.act_as_client(),
        }
    }

    fn pass(&mut self) -> String {
        let ms = 1 + self.random.below(1000);
        self.pass_ms(ms as u64);
        format!("{ms} ms pass")
    }

    /// Lets time pass, and gives those a turn whose time has come.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        // However busy a worker is, its tasks have a turn sooner than that.
        let waiting: Vec<_> =
            self.links.iter().filter(|(_, link)| link.peer.has_turn()).map(|(number, _)| *number).collect();
        waiting.into_iter().for_each(|number| self.turn(number));
        self.world.clock.advance(ms);
        self.world.node.tick();
        let now = self.world.now();
        let is_due = |peer: &common::Peer| peer.session().deadline().is_some_and(|due| due <= now);
        let due: Vec<_> =
            self.links.iter().filter(|(_, link)| is_due(&link.peer)).map(|(number, _)| *number).collect();
        due.into_iter().for_each(|number| self.turn(number));
        if !self.is_slow {
            self.check_expiry();
        }
    }

    /// Data that is like no other, and long enough that a difference to other is shorter.
    pub(crate) fn data(&mut self) -> Bytes {
        self.published += 1;
        let number = self.published;
        format!(r#"{{"number":{number},"says":"something that is much the same in all publications"}}"#)
            .into()
    }

    fn channel(&mut self) -> String {
        self.random.pick(&self.channels).clone()
    }

    /// A channel for a client to do something about: with some preference one that it was in before.
    fn channel_for(&mut self, owner: usize) -> String {
        let before: Vec<_> = self.clients[owner].mind.view.left().map(str::to_owned).collect();
        let before: Vec<_> = before.into_iter().filter(|name| self.channels.contains(name)).collect();
        if before.is_empty() || self.random.percent(40) {
            self.channel()
        } else {
            self.random.pick(&before).clone()
        }
    }

    /// Most clients are there when the simulation begins, in some channels.
    pub(crate) fn populate(&mut self) {
        for owner in 0..self.clients.len() {
            if self.random.percent(20) {
                continue;
            }
            self.connect(owner);
            let Some(number) = self.clients[owner].link else { continue };
            for _ in 0..self.random.below(4) {
                let channel = self.channel();
                if !self.clients[owner].mind.view.is_subscribed(&channel)
                    && !self.links[&number].peer.is_busy()
                {
                    self.subscribe(owner, number, &channel);
                }
            }
        }
    }

    fn publish_by_server(&mut self) -> String {
        let channel = self.channel();
        let (data, keep) = (common::json(&String::from_utf8_lossy(&self.data())), self.world.keep(&channel));
        let options_delta = self.world.node.rules().channel(&channel).unwrap().rules.options.delta_publish;
        let mut publish = publish(data, keep);
        publish.tags = realm::tags(&mut self.random);
        publish.delta = options_delta;
        if keep.is_some() && self.random.percent(4) {
            publish.keep = Keep::default();
        }
        if self.random.percent(10) {
            let key = format!("key {}", self.random.below(5));
            publish.idempotency = Some(Idempotency { key, ttl: std::time::Duration::from_secs(5) });
        }
        if channel.ends_with(":3") {
            let number = self.published / 2 + self.random.below(5) as u64;
            publish.version = Some(Version { number, epoch: String::new() });
        }
        drop(self.world.node.publish(&channel, publish));
        format!("the server publishes in {channel}")
    }

    fn remove_history(&mut self) -> String {
        let channel = self.channel();
        drop(self.world.engine.remove_history(&channel));
        format!("the history of {channel} is removed")
    }

    /// The server orders all connections of a user about.
    fn order(&mut self) -> String {
        let owner = self.random.below(self.clients.len());
        let user = self.clients[owner].user.clone();
        if user.is_empty() {
            // All anonymous clients are one user's.
            return self.pass();
        }
        let whom = Whom { user: Some(user.clone()), ..Whom::default() };
        let links = self.links_of(&user);
        // Those who do not read may be too slow for what comes of it.
        let sleeping: Vec<_> =
            links.iter().copied().filter(|number| self.links[number].mood != Mood::Reads).collect();
        let (order, what) = match self.random.below(4) {
            0 => (Order::Disconnect(Disconnect::FORCE_RECONNECT), "disconnects"),
            1 => (
                Order::Unsubscribe { channel: String::new(), reason: Unsubscribed::BY_SERVER },
                "unsubscribes",
            ),
            2 => (self.order_in(), "subscribes"),
            _ if self.climate.refreshes => (Order::Disconnect(Disconnect::FORCE_RECONNECT), "disconnects"),
            _ => {
                let expire_at = self.world.unix() + 200;
                let info = self.new_info(links.first().copied());
                if !self.is_slow {
                    links.iter().for_each(|number| self.prolong(*number, expire_at, &info));
                }
                let info = json!({ "is": info }).to_string();
                let info = if self.is_slow { Bytes::new() } else { info.into() };
                (Order::Refresh { expired: false, expire_at, info }, "refreshes")
            }
        };
        self.world.node.hub().control(Control { whom, order: order.clone() });
        if !self.is_slow {
            self.settle();
            let is_slow = |number: &u64| sleeping.contains(number) && !self.links.contains_key(number);
            let links: Vec<_> = links.iter().copied().filter(|number| !is_slow(number)).collect();
            self.check_order(&links, &order);
        }
        format!("the server {what} {user:?} with {} connections", links.len())
    }

    fn order_in(&mut self) -> Order {
        let channel = format!("stream:{}", self.random.below(3));
        Order::Subscribe { channel, grant: SubscribeGrant::default(), since: None }
    }

    /// What a connection shows from now on. Where answers come late, nobody can tell which of several is the last.
    fn new_info(&self, number: Option<u64>) -> String {
        let known = number.filter(|_| self.is_slow).map(|number| self.links[&number].info.clone());
        known.unwrap_or_else(|| format!("of step {}", self.step))
    }

    fn check_order(&self, links: &[u64], order: &Order) {
        for number in links {
            let link = self.links.get(number);
            match order {
                Order::Disconnect(_) => {
                    assert!(link.is_none(), "connection {number} stays in spite of an order")
                }
                Order::Unsubscribe { .. } => {
                    let left = self.mind(*number).view.channels().count();
                    assert_eq!(left, 0, "connection {number} stays in channels in spite of an order");
                }
                Order::Subscribe { channel, .. } => {
                    let is_there = self.mind(*number).view.is_subscribed(channel);
                    assert!(is_there, "connection {number} is not in {channel} in spite of an order");
                }
                Order::Refresh { .. } => assert!(link.is_some()),
            }
        }
    }

    /// A connection lasts until then, and shows something else.
    fn prolong(&mut self, number: u64, expire_at: u64, info: &str) {
        let link = self.links.get_mut(&number).unwrap();
        link.expire_at = expire_at;
        info.clone_into(&mut link.info);
        let id = link.peer.session().id().to_string();
        for (channel, here) in &mut self.members {
            if let Some(inhabitant) = here.get_mut(&id) {
                info.clone_into(&mut inhabitant.info);
                self.touched.insert(channel.clone());
            }
        }
    }

    fn act_as_client(&mut self) -> String {
        let owner = self.random.below(self.clients.len());
        let Some(number) = self.clients[owner].link else { return self.connect(owner) };
        let link = &self.links[&number];
        if link.mood == Mood::Sleeps {
            return format!("client {owner} sleeps on");
        }
        if link.peer.is_busy() || self.clients[owner].mind.view.is_waiting() {
            return format!("client {owner} waits");
        }
        let channel = self.channel_for(owner);
        let is_there = self.clients[owner].mind.view.is_subscribed(&channel);
        match self.random.below(100) {
            0..3 => {
                self.hang_up(number);
                format!("client {owner} hangs up")
            }
            3..5 => {
                self.turn_away(number, Mood::Gone);
                format!("client {owner} is gone without a word")
            }
            5..9 => {
                self.turn_away(number, Mood::Sleeps);
                if self.random.percent(50) {
                    self.detach(number);
                }
                format!("client {owner} sleeps")
            }
            9..50 if !is_there => self.subscribe(owner, number, &channel),
            9..25 => {
                let message = self.clients[owner].mind.view.unsubscribe(&channel);
                self.say(number, message);
                format!("client {owner} leaves {channel}")
            }
            25..75 if self.has_session(owner) && self.random.percent(30) => {
                self.speak_into_the_void(owner, number, &channel)
            }
            25..75 => {
                let data = self.data();
                let message = self.clients[owner].mind.view.publish(&channel, data);
                self.say(number, message);
                format!("client {owner} publishes in {channel}")
            }
            75..85 => self.refresh(owner, number),
            _ => self.ask(owner, number, &channel),
        }
    }

    /// A client that slept reads again.
    fn wake(&mut self) -> String {
        while !self.sleepers.is_empty() {
            let number = self.sleepers.swap_remove(self.random.below(self.sleepers.len()));
            if self.links.get(&number).is_some_and(|link| link.mood == Mood::Sleeps) {
                return self.wake_one(number);
            }
        }
        "nobody wakes".to_owned()
    }

    pub(crate) fn say(&mut self, number: u64, message: Bytes) {
        self.links[&number].peer.receive(message);
        if !self.is_slow {
            self.turn(number);
        }
    }

    fn connect(&mut self, owner: usize) -> String {
        let user = self.clients[owner].user.clone();
        let own = format!("mine:#{user}");
        let mut request = ConnectRequest::default();
        if owner % 5 < 2 {
            request.ext = [("session".to_owned(), 1)].into();
        }
        let info = if user.is_empty() { String::new() } else { format!("of step {}", self.step) };
        let expire_at = self.world.unix() + 100 + self.random.below(1000) as u64;
        if !user.is_empty() {
            request.token = realm::connect_token(&user, expire_at, &info);
        }
        if let Some(position) = self.clients[owner].mind.view.position(&own).cloned() {
            let known = SubscribeRequest {
                recover: true,
                offset: position.offset,
                epoch: position.epoch,
                ..SubscribeRequest::default()
            };
            request.subs = [(own, known)].into();
        }
        let expire_at = if user.is_empty() { 0 } else { expire_at };
        let number = self.link(owner, info, expire_at);
        let message = self.clients[owner].mind.view.connect(request);
        self.say(number, message);
        format!("client {owner} connects")
    }

    fn subscribe(&mut self, owner: usize, number: u64, channel: &str) -> String {
        let user = self.clients[owner].user.clone();
        let mut request = SubscribeRequest { channel: channel.to_owned(), ..SubscribeRequest::default() };
        let expire_at = self.world.unix() + 20 + self.random.below(300) as u64;
        let link = self.links.get_mut(&number).unwrap();
        link.channels_expire_at.remove(channel);
        if channel.starts_with('$') {
            request.token = realm::channel_token(&user, channel, expire_at);
            link.channels_expire_at.insert(channel.to_owned(), expire_at);
        }
        if channel.starts_with("hook") {
            let grant = SubscribeGrant { expire_at, ..SubscribeGrant::default() };
            self.world.application.answers(|answers| answers.subscribe = Ok(grant));
        }
        let kind = self.random.below(8);
        request.recoverable = kind < 6 && !channel.starts_with("plain");
        let is_stream = ["stream", "$stream", "hook"].iter().any(|name| channel.starts_with(name));
        if is_stream && kind.is_multiple_of(2) {
            request.delta = "fossil".to_owned();
        }
        if is_stream && self.random.percent(30) {
            request.tf = Some(realm::filter(self.random.pick(&COLOURS)));
        }
        let message = self.clients[owner].mind.subscribe(&mut self.truth, request);
        self.say(number, message);
        format!("client {owner} subscribes to {channel}")
    }

    fn refresh(&mut self, owner: usize, number: u64) -> String {
        let user = self.clients[owner].user.clone();
        let expire_at = self.world.unix() + 100 + self.random.below(1000) as u64;
        let private: Vec<_> = self.clients[owner]
            .mind
            .view
            .channels()
            .filter(|name| name.starts_with('$'))
            .map(str::to_owned)
            .collect();
        if let Some(channel) = private.first().cloned() {
            let token = realm::channel_token(&user, &channel, expire_at);
            self.links.get_mut(&number).unwrap().channels_expire_at.insert(channel.clone(), expire_at);
            let request = SubRefreshRequest { channel, token };
            let message = self.clients[owner].mind.view.say(|command| command.sub_refresh = Some(request));
            self.say(number, message);
        } else if !user.is_empty() && !self.climate.refreshes {
            let info = self.new_info(Some(number));
            let token = realm::connect_token(&user, expire_at, &info);
            let message =
                self.clients[owner].mind.view.say(|command| command.refresh = Some(RefreshRequest { token }));
            self.say(number, message);
            if self.links.contains_key(&number) {
                self.prolong(number, expire_at, &info);
            }
        }
        format!("client {owner} refreshes")
    }

    /// A question that changes nothing.
    fn ask(&mut self, owner: usize, number: u64, channel: &str) -> String {
        let kind = self.random.below(5);
        let view = &mut self.clients[owner].mind.view;
        let named = ChannelRequest { channel: channel.to_owned() };
        let message = match kind {
            0 => view.say(|command| command.presence = Some(named)),
            1 => view.say(|command| command.presence_stats = Some(named)),
            2 => view.say(|command| {
                command.history =
                    Some(HistoryRequest { channel: channel.to_owned(), limit: 5, ..Default::default() });
            }),
            3 => view.say(|command| {
                command.rpc = Some(RpcRequest { method: "m".into(), data: Bytes::from_static(b"{}") });
            }),
            _ => view.ping(),
        };
        self.say(number, message);
        format!("client {owner} asks about {channel}")
    }

    /// The backend changes its mind on who may go on.
    pub(crate) fn change_backend(&mut self) {
        let expire_at = self.world.unix() + 60;
        let goes = RefreshAnswer::Goes { expire_at, info: Bytes::new(), meta: Bytes::new() };
        let answer = if self.random.percent(80) { goes } else { RefreshAnswer::Expired };
        self.world.application.answers(|answers| {
            answers.refresh = Ok(answer.clone());
            answers.sub_refresh = Ok(answer);
        });
    }
}
