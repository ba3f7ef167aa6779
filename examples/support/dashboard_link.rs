//! A link to the dashboard that lets in whoever started the server: printed on a terminal, and nowhere else; otherwise written to a
//! file that nobody else may read.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tower_mcp_sessions::monitor::OneTimeCode;

/// Tells where the dashboard of a server at `address` is. The file goes with the value.
pub fn tell(code: &OneTimeCode, address: SocketAddr) -> io::Result<Option<LinkFile>> {
    let link = code.link(&format!("http://{}/", reachable(address)));
    let mut stdout = io::stdout();
    if stdout.is_terminal() {
        writeln!(stdout, "dashboard, once and within ten minutes: {link}")?;
        return Ok(None);
    }
    let file = LinkFile::write(address.port(), &link)?;
    writeln!(stdout, "dashboard: the link in {}, once and within ten minutes", file.0.display())?;
    stdout.flush()?;
    Ok(Some(file))
}

/// A file that is gone when its server has left.
pub struct LinkFile(PathBuf);

impl LinkFile {
    fn write(port: u16, link: &str) -> io::Result<Self> {
        let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = folder.join(format!("mcp-sessions-{port}-{}.link", std::process::id()));
        let mut file = match create(&path) {
            // Of another process, which had this id before.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                remove_file(&path).and_then(|()| create(&path))?
            }
            created => created?,
        };
        writeln!(file, "{link}")?;
        Ok(Self(path))
    }
}

impl Drop for LinkFile {
    fn drop(&mut self) {
        let _ = remove_file(&self.0);
    }
}

/// A new file, and no other's: what stands there already is not followed.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// An address that a browser on this machine can ask for.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()),
        false => address,
    }
}
