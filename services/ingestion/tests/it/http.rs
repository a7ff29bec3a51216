//! A client of plain HTTP doors that sends just the bytes it is told to.

use std::net::SocketAddr;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::within;

/// What a door answered.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: String,
    pub(crate) body: Json,
}

impl Answer {
    /// What it counts, as [accepted, duplicate, conflict, held, rejected].
    pub(crate) fn counts(&self) -> [u64; 5] {
        assert_eq!(self.code, 200, "{self:?}");
        ["accepted", "duplicate", "conflict", "held", "rejected"]
            .map(|name| self.body[name].as_u64().unwrap())
    }

    /// The reason of a refusal.
    pub(crate) fn reason(&self) -> &str {
        self.body["code"].as_str().unwrap_or("no reason")
    }
}

/// Posts a body with headers, each with its line end.
pub(crate) async fn post(to: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    let mut sent = head.into_bytes();
    sent.extend_from_slice(body);
    exchange(to, &sent).await
}

/// Sends bytes as they are and reads the whole answer.
pub(crate) async fn exchange(to: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let send = async {
        // A server that has heard enough answers and closes.
        writer.write_all(bytes).await.ok();
    };
    let mut answer = Vec::new();
    let read = async {
        reader.read_to_end(&mut answer).await.ok();
    };
    within(async { tokio::join!(send, read) }).await;
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        code,
        headers: head.to_ascii_lowercase(),
        body: serde_json::from_str(body).unwrap_or(Json::Null),
    }
}
