//! A page to scrape, on loopback.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(super) const ARTICLE: &str = include_str!("article.html");

/// Serves the article at whatever path is asked for, for as long as the runtime lives.
pub(super) async fn serve() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever asked went away; the next one is served.
            let _ = answer(stream).await;
        }
    });
    Ok(address)
}

async fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while (&mut stream).take(8192).read_line(&mut line).await? > 0 && line.trim() != "" {
        line.clear();
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close";
    let response = format!("{head}\r\ncontent-length: {}\r\n\r\n{ARTICLE}", ARTICLE.len());
    stream.write_all(response.as_bytes()).await
}
