//! What stands in for the supervisor, so that a backend is tested without the session protocol. Built by `rustc` alone, as
//! a static program. A connection brings one line: a command for the shell, run as user 1000, whose output goes back; or
//! `!` and a word for process 1 itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["serve", "--listen", path, "--proxy-port", _, "--orphaned-after", millis] => {
            serve(path, millis.parse().unwrap())
        }
        ["bridge", path] => bridge(path),
        _ => exit(64),
    }
}

fn serve(path: &str, orphaned_after: u64) {
    eprintln!("the stand-in serves");
    let listener = UnixListener::bind(path).unwrap();
    let (start, heard) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let last = Arc::clone(&heard);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(20));
            if start.elapsed().as_millis() as u64 - last.load(Ordering::Relaxed) > orphaned_after {
                exit(75);
            }
        }
    });
    for stream in listener.incoming() {
        heard.store(start.elapsed().as_millis() as u64, Ordering::Relaxed);
        std::thread::spawn(move || answer(stream.unwrap()));
    }
}

fn answer(mut stream: UnixStream) {
    let mut line = String::new();
    let _ = BufReader::new(stream.try_clone().unwrap()).read_line(&mut line);
    match line.trim() {
        "" => {}
        "!exit" => exit(3),
        "!eat" => {
            let mut eaten = Vec::new();
            loop {
                eaten.push(vec![1_u8; 1 << 20]);
            }
        }
        "!id" => {
            write!(stream, "{} {}", std::process::id(), std::fs::read_to_string("/proc/self/status").unwrap())
                .unwrap()
        }
        command => {
            let ran = Command::new("/bin/sh")
                .args(["-c", command])
                .uid(1000)
                .gid(1000)
                .current_dir("/")
                .output()
                .unwrap();
            let _ = stream.write_all(&ran.stdout);
            let _ = stream.write_all(&ran.stderr);
        }
    }
}

fn bridge(path: &str) {
    let mut socket = UnixStream::connect(path).unwrap();
    let mut there = socket.try_clone().unwrap();
    std::thread::spawn(move || {
        copy(&mut std::io::stdin(), &mut there);
        let _ = there.shutdown(std::net::Shutdown::Write);
    });
    copy(&mut socket, &mut std::io::stdout());
}

fn copy(from: &mut impl Read, to: &mut impl Write) {
    let mut piece = [0; 65536];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..length]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}
