//! From the making of a sandbox to its end, with and without the launcher that made it.

use std::fs;
use std::io::Read;
use std::path::Path;

use packhost_launcher::{End, Fault, LauncherError, State};

use crate::scene::{Scene, recipe};

crate::trials![
    a_sandbox_is_listed_until_it_is_killed,
    killing_leaves_nothing,
    a_hundred_sandboxes_leave_nothing,
    one_that_never_was_is_killed_with_success,
    how_a_sandbox_ended_is_told_until_it_is_killed,
    a_restarted_launcher_takes_over,
    a_restarted_launcher_knows_what_ended_meanwhile,
    an_interrupted_making_is_cleaned_up,
    another_process_with_the_same_number_is_left_alone,
    two_hosts_do_not_see_each_others_sandboxes,
    an_orphaned_sandbox_ends_by_itself,
    what_the_supervisor_writes_can_be_read_after_its_end,
    a_log_has_an_end_however_fast_it_is_written,
    two_sandboxes_have_different_users,
    the_launcher_ends_with_the_host,
    the_last_launcher_takes_its_directory_with_it,
];

/// Every process, mount and cgroup that has to do with this scene.
pub(crate) fn traces(scene: &Scene) -> Vec<String> {
    let mut traces = Vec::new();
    let state = scene.path("state");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    traces.extend(
        mounts.lines().filter(|line| line.contains(state.to_str().expect("ASCII"))).map(str::to_owned),
    );
    for hierarchy in fs::read_dir("/sys/fs/cgroup").expect("cgroups") {
        let ours = hierarchy.expect("one").path().join("packhost").join(scene.host());
        let within = fs::read_dir(&ours).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        traces.extend(within.filter(|path| path.is_dir()).map(|path| path.display().to_string()));
    }
    let files = fs::read_dir(state.join("sandboxes")).expect("a directory");
    traces.extend(files.map(|entry| entry.expect("one").path().display().to_string()));
    traces
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Waits until a process is gone whose parent went away: whoever has it now may take a moment to notice.
pub(crate) async fn gone(pid: u32) {
    while runs(pid) {
        tokio::task::yield_now().await;
    }
}

async fn a_sandbox_is_listed_until_it_is_killed() {
    let scene = Scene::new();
    let (first, pid) = scene.start(recipe()).await;
    let (second, _) = scene.start(recipe()).await;
    let list = scene.launcher.list().await.expect("a list");
    let mut names = [first.clone(), second];
    names.sort();
    assert_eq!(list.iter().map(|sandbox| sandbox.id.clone()).collect::<Vec<_>>(), names);
    let one = scene.launcher.status(&first).await.expect("known");
    assert_eq!((one.owner.as_str(), one.state), ("local", State::Running(pid)));
    scene.launcher.kill(&first).await.expect("its end");
    assert_eq!(scene.launcher.list().await.expect("a list").len(), 1);
    match scene.launcher.status(&first).await {
        Err(LauncherError::Refused(refusal)) => assert_eq!(refusal.fault, Fault::NotFound),
        other => panic!("{other:?}"),
    }
}

async fn killing_leaves_nothing() {
    let scene = Scene::new();
    let (id, pid) = scene.start(recipe()).await;
    scene.output(&id, "sleep 1000 >/dev/null 2>&1 & setsid sleep 1000 >/dev/null 2>&1 &").await;
    assert!(!traces(&scene).is_empty());
    scene.launcher.kill(&id).await.expect("its end");
    assert!(!runs(pid));
    assert_eq!(traces(&scene), Vec::<String>::new());
}

async fn a_hundred_sandboxes_leave_nothing() {
    let scene = Scene::new();
    let open = || fs::read_dir(format!("/proc/{}/fd", scene.launcher_pid())).expect("it runs").count();
    assert_eq!(scene.launcher.list().await.expect("it is up"), []);
    let before = open();
    for round in 0..100 {
        let (id, _) = scene.start(recipe()).await;
        if round % 10 == 0 {
            assert_eq!(scene.output(&id, "echo hello").await, "hello");
        }
        scene.launcher.kill(&id).await.expect("its end");
    }
    assert_eq!(traces(&scene), Vec::<String>::new());
    assert_eq!(open(), before);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", scene.launcher_pid()));
    assert_eq!(children.unwrap_or_default().trim(), "");
}

async fn one_that_never_was_is_killed_with_success() {
    let scene = Scene::new();
    scene.launcher.kill("nothing-of-this-name").await.expect("success");
}

async fn how_a_sandbox_ended_is_told_until_it_is_killed() {
    let scene = Scene::new();
    let (id, pid) = scene.start(recipe()).await;
    scene.request(&id, "q7").await;
    assert_eq!(scene.ended(&id).await, State::Ended(End::Exited(7)));
    assert!(!runs(pid));
    assert!(matches!(scene.launcher.open(&id).await,
        Err(LauncherError::Refused(refusal)) if refusal.fault == Fault::Ended));
    scene.launcher.kill(&id).await.expect("its end");
    assert_eq!(traces(&scene), Vec::<String>::new());

    let (id, pid) = scene.start(recipe()).await;
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill");
    assert_eq!(scene.ended(&id).await, State::Ended(End::Signalled(9)));
}

async fn a_restarted_launcher_takes_over() {
    let mut scene = Scene::new();
    let (id, pid) = scene.start(recipe()).await;
    scene.output(&id, "echo kept > /tmp/x").await;
    let before = scene.launcher.status(&id).await.expect("known");
    scene.restart();
    assert_eq!(scene.launcher.status(&id).await.expect("known"), before);
    assert_eq!(scene.output(&id, "cat /tmp/x").await, "kept");
    scene.launcher.kill(&id).await.expect("its end");
    gone(pid).await;
    assert_eq!(traces(&scene), Vec::<String>::new());
}

async fn a_restarted_launcher_knows_what_ended_meanwhile() {
    let mut scene = Scene::new();
    let (told, _) = scene.start(recipe()).await;
    scene.request(&told, "q3").await;
    scene.ended(&told).await;
    let (untold, pid) = scene.start(recipe()).await;
    scene.stop();
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill");
    gone(pid).await;
    scene.restart();
    assert_eq!(scene.launcher.status(&told).await.expect("known").state, State::Ended(End::Exited(3)));
    assert_eq!(scene.launcher.status(&untold).await.expect("known").state, State::Ended(End::Unknown));
}

async fn an_interrupted_making_is_cleaned_up() {
    let mut scene = Scene::new();
    let (id, pid) = scene.start(recipe()).await;
    scene.stop();
    // As it is when the launcher is killed before the recipe is written, or before the process is.
    let directory = scene.path("state/sandboxes");
    fs::create_dir(directory.join("a".repeat(26))).expect("ours");
    fs::remove_file(directory.join(&id).join("recipe")).expect("ours");
    scene.restart();
    assert_eq!(scene.launcher.list().await.expect("a list"), []);
    gone(pid).await;
    assert_eq!(traces(&scene), Vec::<String>::new());
}

async fn another_process_with_the_same_number_is_left_alone() {
    let mut scene = Scene::new();
    let (first, own) = scene.start(recipe()).await;
    // Two of one clock tick cannot be told apart; numbers are not used again that soon.
    let (second, pid) = loop {
        let (id, pid) = scene.start(recipe()).await;
        if tick(pid) != tick(own) {
            break (id, pid);
        }
        scene.launcher.kill(&id).await.expect("its end");
    };
    scene.stop();
    // The first one's record now tells the second one's number with another start.
    let life = |id: &str| scene.path("state/sandboxes").join(id).join("life");
    let (old, other) = (fs::read(life(&first)).expect("ours"), fs::read(life(&second)).expect("ours"));
    assert_ne!(old, other);
    let first_pid = scene_pid(&old);
    let mixed = replace(&old, &first_pid.to_be_bytes(), &pid.to_be_bytes());
    fs::write(life(&first), mixed).expect("ours");
    std::process::Command::new("kill").args(["-9", &first_pid.to_string()]).status().expect("kill");
    gone(first_pid).await;
    scene.restart();
    scene.launcher.kill(&first).await.expect("its end");
    assert!(runs(pid));
    assert_eq!(scene.output(&second, "echo on").await, "on");
}

/// When a process started: /proc/PID/stat, field 22.
fn tick(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, after_name) = stat.rsplit_once(')').expect("a name");
    after_name.split_ascii_whitespace().nth(19).expect("a start").to_owned()
}

/// The first number of a record: CBOR's array head, then the head of an unsigned 32-bit or 16-bit number.
fn scene_pid(life: &[u8]) -> u32 {
    match life {
        [_, 0x19, high, low, ..] => u32::from(u16::from_be_bytes([*high, *low])),
        [_, 0x1a, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
        other => panic!("{other:x?}"),
    }
}

fn replace(life: &[u8], from: &[u8; 4], to: &[u8; 4]) -> Vec<u8> {
    let head = if life[1] == 0x1a { 6 } else { 4 };
    assert!(life[..head].ends_with(&from[if head == 6 { 0 } else { 2 }..]));
    [&[life[0], 0x1a], to.as_slice(), &life[head..]].concat()
}

async fn two_hosts_do_not_see_each_others_sandboxes() {
    let (one, mut other) = (Scene::new(), Scene::new());
    let (id, pid) = one.start(recipe()).await;
    assert_eq!(other.launcher.list().await.expect("a list"), []);
    other.launcher.kill(&id).await.expect("there is none");
    other.restart();
    assert_eq!(other.launcher.list().await.expect("a list"), []);
    assert!(runs(pid));
    assert_eq!(one.output(&id, "echo on").await, "on");
}

async fn an_orphaned_sandbox_ends_by_itself() {
    let mut scene = Scene::new();
    let (_, pid) = scene.start(packhost_launcher::Recipe { orphaned_after_ms: 1, ..recipe() }).await;
    scene.stop();
    gone(pid).await;
    scene.restart();
    let list = scene.launcher.list().await.expect("a list");
    assert!(matches!(list[0].state, State::Ended(_)));
}

async fn what_the_supervisor_writes_can_be_read_after_its_end() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    scene.request(&id, "q0").await;
    scene.ended(&id).await;
    let mut log = String::new();
    let file = scene.launcher.log(&id).await.expect("a log");
    fs::File::from(file).read_to_string(&mut log).expect("text");
    assert_eq!(log, "the stand-in runs\n");
}

async fn a_log_has_an_end_however_fast_it_is_written() {
    const MOST: u64 = 1 << 20;
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    let log = scene.path("state/sandboxes").join(&id).join("log");
    for _ in 0..16 {
        scene.request(&id, "l1048576").await.expect("an answer");
        // What was written is seen before what is asked.
        scene.launcher.status(&id).await.expect("known");
        let length = fs::metadata(&log).expect("there").len();
        assert!((1..=MOST).contains(&length), "{length}");
    }
}

async fn two_sandboxes_have_different_users() {
    let scene = Scene::new();
    let (first, _) = scene.start(recipe()).await;
    let (second, _) = scene.start(recipe()).await;
    let map = "cat /proc/self/uid_map";
    assert_ne!(scene.output(&first, map).await, scene.output(&second, map).await);
}

async fn the_launcher_ends_with_the_host() {
    let mut scene = Scene::new();
    let (_, pid) = scene.start(recipe()).await;
    assert!(scene.leave().success());
    assert!(runs(pid));
    scene.restart();
}

async fn the_last_launcher_takes_its_directory_with_it() {
    let mut scene = Scene::new();
    let (mut other, channel) = scene.another();
    let launcher = packhost_launcher::Launcher::new(channel).expect("a channel");
    let (id, _) = scene.start(recipe()).await;
    assert_eq!(launcher.list().await.expect("a list").len(), 1);
    assert!(scene.leave().success());
    assert!(scene.path("state/sandboxes").join(&id).exists());
    // There is a sandbox, so everything stays until it is gone.
    launcher.kill(&id).await.expect("its end");
    scene.restart();
    assert!(scene.leave().success());
    assert!(!scene.path("state").exists());
    // One that is still there goes on with a new one.
    let recipe = recipe();
    let id = recipe.id.clone();
    launcher.start(recipe).await.expect("a sandbox");
    launcher.kill(&id).await.expect("its end");
    drop(launcher);
    assert!(other.wait().expect("our child").success());
    assert!(!scene.path("state").exists());
}
