//! Sockets that lead out of the sandbox, or to those who command it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use packhost_sessions::SandboxId;

use super::{denies, everything, trying};
use crate::bench::Bench;
use crate::room::python;

crate::behaviours![
    there_are_no_sockets_but_unix_tcp_and_udp,
    netlink_changes_nothing,
    no_socket_of_the_machine_is_reached_by_name_or_path,
    an_abstract_socket_of_another_sandbox_is_not_reached,
    no_socket_inside_commands_the_sandbox,
];

async fn there_are_no_sockets_but_unix_tcp_and_udp(bench: &Bench) {
    let script = format!(
        "
ROUTE = 0
# socket(2), in the order of linux/socket.h: all that there are, and some that are not yet.
for family in range(0, 50):
    if family in (1, 2, 10, 16): continue
    for kind in (1, 2, 3, 5, 10): say(call({socket}, family, kind, 0), 'family', family, kind)
for family in (2, 10):
    for kind in (3, 4, 5, 6, 10):
        for protocol in (0, 1, 6, 17, 255): say(call({socket}, family, kind | 0x80000, protocol), 'ip', family, kind, protocol)
    for kind in (1, 2):
        for protocol in (1, 2, 58, 132, 136, 262): say(call({socket}, family, kind, protocol), 'ip', family, kind, protocol)
for protocol in range(1, 24):
    for kind in (2, 3): say(call({socket}, 16, kind, protocol), 'netlink', kind, protocol)
for family in (2, 10, 16, 17): say(call({pair}, family, 1, 0, bytes(8)), 'pair', family)
",
        socket = libc::SYS_socket,
        pair = libc::SYS_socketpair
    );
    let room = bench.room().await;
    // Or EINVAL, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EAFNOSUPPORT.
    denies(&room, trying(&script).confinement(everything()), &[1, 13, 22, 93, 94, 97]).await;
}

async fn netlink_changes_nothing(bench: &Bench) {
    let script = "
import socket, struct
def ask(kind, body, flags=0):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        # An acknowledgement is asked for: what is done is said as well.
        kernel.send(struct.pack('=IHHII', 16 + len(body), kind, 5 | flags, 1, 0) + body)
        reply = kernel.recv(65536)
        assert struct.unpack_from('=H', reply, 4) == (2,), reply
        return -struct.unpack_from('=i', reply, 16)[0]
link = struct.pack('=BBHiII', 0, 0, 0, 1, 0, 1)
say(ask(16, link), 'RTM_NEWLINK: lo')
name = lambda text: struct.pack('=HH', 4 + len(text), 3) + text
say(ask(16, struct.pack('=BBHiII', 0, 0, 0, 0, 0, 0) + name(b'x123456\\0'), 0x600), 'RTM_NEWLINK: a new one')
say(ask(17, link), 'RTM_DELLINK')
address = struct.pack('=BBBBI', 2, 8, 0, 0, 1) + struct.pack('=HH4s', 8, 2, bytes([10, 0, 0, 1]))
say(ask(20, address, 0x600), 'RTM_NEWADDR')
route = struct.pack('=BBBBBBBBI', 2, 0, 0, 0, 254, 4, 0, 1, 0) + struct.pack('=HHi', 8, 4, 1)
say(ask(24, route, 0x600), 'RTM_NEWROUTE')
say(ask(28, struct.pack('=BBHiHBB', 2, 0, 0, 1, 2, 0, 0), 0x600), 'RTM_NEWNEIGH')
say(ask(32, struct.pack('=BBBBBBBBI', 2, 0, 0, 0, 254, 0, 0, 1, 0), 0x600), 'RTM_NEWRULE')
say(ask(36, struct.pack('=BBHiIII', 0, 0, 0, 1, 0, 0, 0), 0x600), 'RTM_NEWQDISC')
say(ask(88, struct.pack('=B3x', 2), 0x600), 'RTM_NEWNSID')
";
    let room = bench.room().await;
    // Or EINVAL, EOPNOTSUPP, for what this kernel does not know.
    denies(&room, trying(script).confinement(everything()), &[1, 13, 22, 95]).await;
}

async fn no_socket_of_the_machine_is_reached_by_name_or_path(bench: &Bench) {
    let name = format!("packhost-{}", SandboxId::fresh());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let by_name = UnixListener::bind_addr(&address).expect("nobody has it");
    let path = std::env::temp_dir().join(&name);
    let by_path = UnixListener::bind(&path).expect("nobody has it");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("ours");
    for listener in [&by_name, &by_path] {
        listener.set_nonblocking(true).expect("ours");
    }
    let script = format!(
        "
import socket
def connect(kind, address): socket.socket(socket.AF_UNIX, kind).connect(address)
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    say(tried(connect, kind, '\\0{name}'), 'by name')
    for path in ('{path}', '/proc/1/root{path}', '/run/docker.sock', '/var/run/docker.sock', '/run/containerd/containerd.sock',
                 '/run/systemd/private', '/run/dbus/system_bus_socket', '/dev/log'):
        say(tried(connect, kind, path), path)
for line in open('/proc/net/unix').readlines()[1:]:
    address = line.split(maxsplit=7)[7:]
    # Of the machine's none is even told.
    if address and '{name}' in address[0]: say(0, 'told', address[0])
",
        path = path.display()
    );
    let room = bench.room().await;
    // Or ENOENT, ECONNREFUSED.
    denies(&room, trying(&script).confinement(everything()), &[1, 2, 13, 111]).await;
    assert!(by_name.accept().is_err() && by_path.accept().is_err(), "somebody came");
    std::fs::remove_file(path).expect("ours");
}

async fn an_abstract_socket_of_another_sandbox_is_not_reached(bench: &Bench) {
    let (one, two) = (bench.room().await, bench.room().await);
    let listens = "
import socket
listener = socket.socket(socket.AF_UNIX)
listener.bind('\\0packhost')
listener.listen()
print('ready', flush=True)
listener.accept()
print('somebody came')
";
    let (exec, output) = one.ready(python(listens)).await;
    let connects = "
import socket
say(tried(socket.socket(socket.AF_UNIX).connect, '\\0packhost'), 'by name')
";
    denies(&two, trying(connects).confinement(everything()), &[1, 13, 111]).await;
    exec.kill();
    assert_eq!(crate::room::rest(output).await.trim(), "");
}

/// The supervisor believes whoever connects to its socket.
async fn no_socket_inside_commands_the_sandbox(bench: &Bench) {
    let script = "
import socket, stat
def connect(path): socket.socket(socket.AF_UNIX).connect(path)
for path in ('/.packhost/run/socket', '/proc/1/root/.packhost/run/socket', '/proc/1/fd/3'): say(tried(connect, path), path)
say(13 if tried(os.listdir, '/.packhost/run') else 0, 'the directory of the socket')
for directory, names, files in os.walk('/'):
    if directory in ('/proc', '/sys'): names.clear()
    for path in (os.path.join(directory, name) for name in files):
        try: kind = os.lstat(path).st_mode
        except OSError: continue
        if stat.S_ISSOCK(kind): say(tried(connect, path), path)
for line in open('/proc/net/unix').readlines()[1:]:
    for address in line.split(maxsplit=7)[7:]:
        path = address.strip()
        say(tried(connect, '\\0' + path[1:] if path[0] == '@' else path), path)
# Nothing that is open was left to the program but its own three.
for name in os.listdir('/proc/self/fd'):
    try: target = os.readlink('/proc/self/fd/' + name)
    except OSError: continue
    if int(name) > 2: say(0, 'open', name, target)
";
    let room = bench.room().await;
    // Or ENOENT, ENXIO, ECONNREFUSED.
    denies(&room, trying(script).confinement(everything()), &[1, 2, 6, 13, 111]).await;
}
