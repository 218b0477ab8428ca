//! From what the hub keeps to what stands on the wire, in the encoding of whoever reads it.

use bytes::Bytes;

use crate::data::Data;
use crate::engine;
use crate::protocol::{ClientInfo, Encoding, Publication};

/// Data as a field of a message.
pub(crate) fn data(data: &Data, encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Json => data.to_json(),
        Encoding::Protobuf => data.bytes().clone(),
    }
}

/// Bytes that may be JSON as a field of a message.
pub(crate) fn bytes(bytes: &Bytes, encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Json if !bytes.is_empty() => Data::Binary(bytes.clone()).to_json(),
        _ => bytes.clone(),
    }
}

/// What others see of a client.
pub(crate) fn info(info: &ClientInfo, encoding: Encoding) -> ClientInfo {
    ClientInfo {
        user: info.user.clone(),
        client: info.client.clone(),
        conn_info: bytes(&info.conn_info, encoding),
        chan_info: bytes(&info.chan_info, encoding),
    }
}

/// A whole publication.
pub(crate) fn publication(publication: &engine::Publication, encoding: Encoding) -> Publication {
    with_data(publication, encoding, data(&publication.data, encoding), false)
}

/// A publication with other data than its own: a difference, or the data as a string.
pub(crate) fn with_data(
    publication: &engine::Publication,
    encoding: Encoding,
    data: Bytes,
    delta: bool,
) -> Publication {
    Publication {
        data,
        info: publication.info.as_deref().map(|client| info(client, encoding)),
        offset: publication.offset,
        tags: publication.tags.clone(),
        delta,
        time: publication.time,
    }
}
