//! What a host with a JIT and an async runtime does all day still works.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;
use std::time::Duration;

use packhost_walls::{Connect, Plan};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Outcome, Scene, c, scene, up};

pub(crate) const SCENES: &[Scene] = &[
    scene("async_runtime_serves_and_connects", serves),
    scene("code_can_be_written_and_run", compiles),
    scene("code_can_be_mapped_from_a_file", maps_code),
    scene("memory_files_work", memory_files),
    scene("own_pages_can_be_scanned", scans_pages),
    scene("changed_files_are_noticed", notices_changes),
    scene("small_services_of_the_kernel_work", small_services),
];

fn serves() -> Outcome {
    let (address, listener) = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        (listener.local_addr()?, listener)
    };
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("f");
    up(&Plan {
        read_write: vec![directory.path().into(), "/dev/null".into()],
        connect: Connect::Ports(vec![address.port()]),
        ..Plan::for_host()
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1())?;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut question = [0; 4];
            stream.read_exact(&mut question).await?;
            stream.write_all(&question).await
        });
        let mut client = TcpStream::connect(address).await?;
        client.write_all(b"ping").await?;
        let mut answer = [0; 4];
        client.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"ping");
        server.await??;
        tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>())
            .await
            .err()
            .ok_or("no timeout")?;
        tokio::fs::write(&file, b"text").await?;
        assert_eq!(tokio::fs::read(&file).await?, b"text");
        // SAFETY: a signal to this process, for which a handler stands.
        c(unsafe { libc::kill(std::process::id().cast_signed(), libc::SIGUSR1) })?;
        terminate.recv().await.ok_or("no signal")?;
        Outcome::Ok(())
    })
}

fn map(length: usize, protection: i32, file: Option<&File>) -> io::Result<*mut libc::c_void> {
    let (flags, descriptor) = match file {
        Some(file) => (libc::MAP_PRIVATE, file.as_raw_fd()),
        None => (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1),
    };
    // SAFETY: the kernel chooses the address, so no mapping is replaced.
    let address = unsafe { libc::mmap(null_mut(), length, protection, flags, descriptor, 0) };
    if address == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(address) }
}

/// A function that returns 42.
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[0xb8, 42, 0, 0, 0, 0xc3];
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];

fn run(code: *mut libc::c_void) -> i32 {
    // SAFETY: the caller has mapped CODE there, readable and executable.
    let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(code) };
    function()
}

fn compiles() -> Outcome {
    up(&Plan::for_host())?;
    let page = map(4096, libc::PROT_READ | libc::PROT_WRITE, None)?;
    // SAFETY: the page is ours, writable and larger than the code.
    unsafe { std::ptr::copy_nonoverlapping(CODE.as_ptr(), page.cast(), CODE.len()) };
    // SAFETY: changes only that page, which holds no Rust object.
    c(unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC) })?;
    assert_eq!(run(page), 42);
    Ok(())
}

fn maps_code() -> Outcome {
    let cache = tempfile::tempdir()?;
    up(&Plan { read_write: vec![cache.path().into()], ..Plan::for_host() })?;
    let path = cache.path().join("code");
    fs::write(&path, CODE)?;
    let page = map(4096, libc::PROT_READ | libc::PROT_EXEC, Some(&File::open(&path)?))?;
    assert_eq!(run(page), 42);
    Ok(())
}

fn memory_files() -> Outcome {
    up(&Plan::for_host())?;
    // SAFETY: the name is a C string; the descriptor is new and owned by nobody else.
    let mut file = unsafe {
        let descriptor = c(libc::memfd_create(c"heap".as_ptr(), libc::MFD_CLOEXEC))?;
        File::from(OwnedFd::from_raw_fd(i32::try_from(descriptor)?))
    };
    file.set_len(1 << 16)?;
    file.write_all(b"image")?;
    let page = map(1 << 16, libc::PROT_READ | libc::PROT_WRITE, Some(&file))?;
    // SAFETY: the mapping is private and larger than what is read.
    assert_eq!(unsafe { std::slice::from_raw_parts(page.cast::<u8>(), 5) }, b"image");
    Ok(())
}

/// `struct pm_scan_arg` and `PAGEMAP_SCAN` of linux/fs.h.
fn scans_pages() -> Outcome {
    const PAGEMAP_SCAN: libc::Ioctl = 0xc060_6610_u32 as libc::Ioctl;
    const PAGE_IS_WRITTEN: u64 = 1 << 1;
    up(&Plan::for_host())?;
    let pages = map(4 * 4096, libc::PROT_READ | libc::PROT_WRITE, None)?;
    let pagemap = File::open("/proc/self/pagemap")?;
    let mut regions = [0_u64; 3 * 4];
    let mut argument: [u64; 12] = [0; 12];
    argument[0] = 96;
    argument[2] = pages as u64;
    argument[3] = pages as u64 + 4 * 4096;
    argument[5] = regions.as_mut_ptr() as u64;
    argument[6] = 4;
    argument[11] = PAGE_IS_WRITTEN;
    // SAFETY: the argument has the kernel's layout and points to room for four regions.
    let answer = c(unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN, argument.as_mut_ptr()) });
    match answer {
        // Older kernels do not know the request; what matters is that the walls let it through.
        Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => Ok(()),
        answer => Ok(answer.map(drop)?),
    }
}

fn notices_changes() -> Outcome {
    let policies = tempfile::tempdir()?;
    let outside = File::create(policies.path().join("web.yaml"))?;
    up(&Plan { read: vec![policies.path().into()], ..Plan::for_host() })?;
    let directory = std::ffi::CString::new(policies.path().to_str().ok_or("not UTF-8")?)?;
    // SAFETY: takes no pointers; the descriptor is new and owned by nobody else.
    let mut watch =
        unsafe { File::from(OwnedFd::from_raw_fd(c(libc::inotify_init1(libc::IN_CLOEXEC))? as i32)) };
    // SAFETY: the path is a C string that lives through the call.
    c(unsafe { libc::inotify_add_watch(watch.as_raw_fd(), directory.as_ptr(), libc::IN_MODIFY) })?;
    (&outside).write_all(b"x")?;
    let read = io::Read::read(&mut watch, &mut [0; 512])?;
    assert!(read > 0);
    Ok(())
}

fn small_services() -> Outcome {
    up(&Plan::for_host())?;
    assert!(std::thread::available_parallelism()?.get() >= 1);
    assert!(std::time::Instant::now().elapsed() < Duration::from_secs(60));
    OpenOptions::new().write(true).open("/dev/null")?.write_all(b"x")?;
    let mut random = [0_u8; 16];
    // SAFETY: the buffer lives through the call and its length is given.
    unsafe {
        c(libc::getrandom(random.as_mut_ptr().cast(), random.len(), 0) as i64)?;
        c(libc::setpriority(libc::PRIO_PROCESS, 0, 1))?;
        c(libc::sched_yield())?;
        let events = c(libc::eventfd(0, libc::EFD_CLOEXEC))?;
        c(libc::close(i32::try_from(events)?))?;
    }
    assert_ne!(random, [0; 16]);
    // The symbols of a backtrace come from the program's own file.
    assert!(!std::backtrace::Backtrace::force_capture().to_string().is_empty());
    fs::read(std::env::current_exe()?)?;
    Ok(())
}
