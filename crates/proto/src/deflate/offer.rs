//! The negotiation of permessage-deflate (RFC 7692 §5 and §7.1).
