//! How often Redis was asked, by its own word.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub struct RedisProbe(RefCell<Connection>);

struct Connection {
    stream: BufReader<TcpStream>,
    /// Questions of this probe's own.
    asked: u64,
}

impl RedisProbe {
    pub fn connect(url: &str) -> Self {
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        let stream = BufReader::new(TcpStream::connect(address).expect("the private Redis listens"));
        Self(RefCell::new(Connection { stream, asked: 0 }))
    }

    /// Round trips so far: how often Redis has read from a socket, but for this probe's. A pipeline is one, and so is a script.
    pub fn trips(&self) -> u64 {
        let mut connection = self.0.borrow_mut();
        connection.asked += 1;
        let statistics = connection.statistics().expect("the private Redis answers");
        let reads = statistics.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
        reads.and_then(|reads| reads.trim().parse::<u64>().ok()).expect("Redis 6 or later") - connection.asked
    }
}

impl Connection {
    fn statistics(&mut self) -> std::io::Result<String> {
        self.stream.get_mut().write_all(b"INFO stats\r\n")?;
        let mut length = String::new();
        self.stream.read_line(&mut length)?;
        let length: usize = length.trim_start_matches('$').trim().parse().map_err(std::io::Error::other)?;
        let mut text = vec![0; length + "\r\n".len()];
        self.stream.read_exact(&mut text)?;
        String::from_utf8(text).map_err(std::io::Error::other)
    }
}
