//! A chat room: every message goes to all who are there. One task receives, another sends: the two halves of a socket.
//!
//! ```text
//! chat_server ADDRESS:PORT
//! ```

use antiphon_socket::proto::CloseCode;
use antiphon_socket::{Message, Sender, accept};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, error::RecvError};

/// Who is so many messages behind is asked to come back later.
const LAG: usize = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: chat_server ADDRESS:PORT")?;
    let listener = TcpListener::bind(address).await?;
    let (room, _) = broadcast::channel(LAG);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(talk(stream, room.clone()));
    }
}

async fn talk(stream: TcpStream, room: broadcast::Sender<Message>) {
    let socket = match accept(stream).await {
        Ok(socket) => socket,
        Err(error) => return eprintln!("{error}"),
    };
    let (sender, mut receiver) = socket.split();
    let listening = tokio::spawn(listen(sender, room.subscribe()));
    // Whoever receives drives the connection: Pings and the Close are answered here, whatever the sender does.
    let end = loop {
        match receiver.recv().await {
            // There is somebody in the room: the one who has just said it.
            Ok(Some(message)) => _ = room.send(message),
            Ok(None) => break "left".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    listening.abort();
    println!("{end}");
}

async fn listen(mut sender: Sender<TcpStream>, mut room: broadcast::Receiver<Message>) {
    loop {
        match room.recv().await {
            // When this fails, the receiver tells how the connection ended.
            Ok(message) => {
                if sender.send(message).await.is_err() {
                    return;
                }
            }
            Err(RecvError::Lagged(_)) => {
                let _ = sender.close(CloseCode::TRY_AGAIN_LATER, "you read too slowly");
                return;
            }
            Err(RecvError::Closed) => return,
        }
    }
}
