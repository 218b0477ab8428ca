//! `publish`: a client's publication.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{Session, named};
use crate::backend::PublishAsk;
use crate::data::Data;
use crate::engine::{IDEMPOTENCY_TTL, Idempotency, Keep, Publish, Version};
use crate::protocol::{ClientError, Empty, Encoding, PublishRequest, Refusal, Reply};

pub(super) async fn publish(session: &Rc<Session>, request: PublishRequest) -> Result<Reply, Refusal> {
    named(&request.channel)?;
    if request.kind != 0 {
        return Err(ClientError::NOT_AVAILABLE.into());
    }
    let node = &session.node;
    let rules = node.rules();
    let channel = rules.channel(&request.channel)?;
    let data = match session.origin.encoding {
        Encoding::Json => Data::Json(request.data),
        Encoding::Protobuf => Data::Binary(request.data),
    };
    let data = channel.rules.check(data)?;
    let (user, info, is_subscribed) = {
        let state = session.state.borrow();
        let subscription = state.subscriptions.get(channel.name);
        let info = subscription.map_or(&state.who.info, |subscription| &subscription.info);
        (Arc::clone(&state.who.user), Arc::clone(info), subscription.is_some())
    };
    let options = &channel.rules.options;
    let mut publish = Publish {
        data,
        info: Some(info),
        tags: BTreeMap::new(),
        keep: channel.rules.keep,
        delta: options.delta_publish,
        idempotency: None,
        version: None,
    };
    if options.publish_proxy_enabled {
        let ask = PublishAsk {
            proxy: options.publish_proxy_name.as_str().into(),
            asker: session.asker(),
            channel: channel.name.to_owned(),
            data: publish.data.clone(),
        };
        let grant = Box::pin(node.backend.publish(ask)).await?;
        if let Some(other) = grant.data {
            publish.data = other;
        }
        if grant.skip_history {
            publish.keep = Keep::default();
        }
        publish.tags = grant.tags;
        publish.delta |= grant.delta;
        publish.idempotency = (!grant.idempotency_key.is_empty())
            .then_some(Idempotency { key: grant.idempotency_key, ttl: IDEMPOTENCY_TTL });
        publish.version =
            (grant.version > 0).then_some(Version { number: grant.version, epoch: grant.version_epoch });
    } else if !rules.may_publish(&channel, &user, is_subscribed) {
        return Err(ClientError::PERMISSION_DENIED.into());
    }
    match node.publish(channel.name, publish).await {
        Ok(_) => Ok(Reply { publish: Some(Empty {}), ..Reply::default() }),
        Err(error) => {
            note!(error, session, channel = channel.name, %error, "a publication failed");
            Err(ClientError::INTERNAL.into())
        }
    }
}
