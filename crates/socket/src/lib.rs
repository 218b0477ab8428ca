//! WebSocket client and server on tokio.
