//! A viewer of the feed that costs next to nothing: frames are read as they come and counted.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const UPGRADE: &str = "GET /ws/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub struct Watcher {
    stream: BufReader<TcpStream>,
    /// The last frame's payload.
    pub frame: Vec<u8>,
    /// Bytes received and sent, of TCP's payload.
    pub bytes: usize,
}

impl Watcher {
    pub async fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.expect("the server listens");
        let mut watcher = Self { stream: BufReader::with_capacity(4096, stream), frame: Vec::new(), bytes: 0 };
        watcher.write(UPGRADE.as_bytes()).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(watcher.stream.read_u8().await.expect("a head"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        watcher.bytes += head.len();
        watcher.say(r#"{"t":"hello"}"#).await;
        watcher
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.stream.get_mut().write_all(bytes).await.expect("the server reads");
    }

    /// A short text frame, masked with nothing.
    async fn say(&mut self, text: &str) {
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).expect("a short text"), 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.write(&frame).await;
    }

    /// The next frame; pings are answered.
    pub async fn next(&mut self) -> std::io::Result<&[u8]> {
        let (_, short) = (self.stream.read_u8().await?, self.stream.read_u8().await?);
        let (header, length) = match short {
            126 => (4, usize::from(self.stream.read_u16().await?)),
            127 => (10, usize::try_from(self.stream.read_u64().await?).expect("it fits into memory")),
            short => (2, usize::from(short)),
        };
        self.frame.resize(length, 0);
        self.stream.read_exact(&mut self.frame).await?;
        self.bytes += header + length;
        if self.frame == br#"{"t":"ping"}"# {
            self.say(r#"{"t":"pong"}"#).await;
        }
        Ok(&self.frame)
    }

    pub fn has(&self, text: &str) -> bool {
        memchr::memmem::find(&self.frame, text.as_bytes()).is_some()
    }
}
