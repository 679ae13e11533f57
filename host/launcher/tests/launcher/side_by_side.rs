//! Several requests at once.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use packhost_launcher::{Access, Fault, LauncherError, Mount, Recipe, Started};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tokio::task::JoinHandle;

use crate::lifecycle::{gone, traces};
use crate::scene::{Scene, recipe};

crate::trials![
    a_start_that_hangs_holds_up_no_other_start_and_no_kill,
    what_is_asked_about_one_sandbox_keeps_its_order,
    many_sandboxes_are_made_and_ended_at_once,
    a_sandbox_that_another_launcher_makes_is_left_alone,
    a_start_whose_worker_is_killed_leaves_nothing,
];

/// A file system that answers nothing until it is dropped; then everything there is an error.
struct Silent {
    at: PathBuf,
    device: Option<File>,
}

impl Silent {
    fn at(at: PathBuf) -> Self {
        fs::create_dir(&at).expect("a directory");
        let device =
            OpenOptions::new().read(true).write(true).open("/dev/fuse").expect("the kernel has FUSE");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = CString::new(options).expect("no NUL");
        mount("silent", &at, "fuse", MountFlags::NOSUID | MountFlags::NODEV, &*options).expect("root");
        Self { at, device: Some(device) }
    }

    /// What was waiting is answered with an error.
    fn speak(mut self) {
        drop(self.device.take());
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        drop(self.device.take());
        let _ = unmount(&self.at, UnmountFlags::DETACH);
    }
}

type Starting = JoinHandle<Result<Started, LauncherError>>;

/// Asks for a sandbox with a mount that cannot be looked at, and waits until the launcher is at it.
async fn hang(scene: &Scene, silent: &Silent) -> (String, Starting) {
    let host = silent.at.join("directory");
    let mounts = vec![Mount { host, inside: "/workspace".into(), access: Access::ReadOnly }];
    let recipe = Recipe { mounts, ..recipe() };
    let (id, launcher) = (recipe.id.clone(), scene.launcher.clone());
    let starting = tokio::spawn(async move { launcher.start(recipe).await });
    while !scene.path("state/sandboxes").join(&id).join("log").exists() {
        tokio::task::yield_now().await;
    }
    (id, starting)
}

async fn a_start_that_hangs_holds_up_no_other_start_and_no_kill() {
    let scene = Scene::new();
    let (first, pid) = scene.start(recipe()).await;
    let silent = Silent::at(scene.path("work/silent"));
    let (_, starting) = hang(&scene, &silent).await;
    let (second, _) = scene.start(recipe()).await;
    assert_eq!(scene.output(&second, "echo on").await, "on");
    scene.launcher.kill(&first).await.expect("its end");
    scene.launcher.kill(&second).await.expect("its end");
    assert!(scene.launcher.about().await.expect("an answer").unusable.is_none());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(!starting.is_finished());
    silent.speak();
    starting.await.expect("no panic").expect_err("its mount cannot be looked at");
    assert_eq!(traces(&scene), Vec::<String>::new());
}

async fn what_is_asked_about_one_sandbox_keeps_its_order() {
    let scene = Scene::new();
    let silent = Silent::at(scene.path("work/silent"));
    let (id, starting) = hang(&scene, &silent).await;
    let (killer, name) = (scene.launcher.clone(), id.clone());
    let killing = tokio::spawn(async move { killer.kill(&name).await });
    // Whoever is asked this has been asked the other before.
    assert_eq!(scene.launcher.list().await.expect("a list"), []);
    assert!(!killing.is_finished());
    silent.speak();
    starting.await.expect("no panic").expect_err("its mount cannot be looked at");
    killing.await.expect("no panic").expect("there is none any more");
    match scene.launcher.status(&id).await {
        Err(LauncherError::Refused(refusal)) => assert_eq!(refusal.fault, Fault::NotFound),
        other => panic!("{other:?}"),
    }
}

async fn many_sandboxes_are_made_and_ended_at_once() {
    const MANY: usize = 50;
    let scene = Scene::new();
    let life = || {
        let (launcher, recipe) = (scene.launcher.clone(), recipe());
        tokio::spawn(async move {
            let id = recipe.id.clone();
            let Started { pid } = launcher.start(recipe).await.expect("a sandbox");
            launcher.open(&id).await.expect("a connection");
            launcher.kill(&id).await.expect("its end");
            pid
        })
    };
    let lives: Vec<_> = (0..MANY).map(|_| life()).collect();
    for life in lives {
        let pid = life.await.expect("no panic");
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
    assert_eq!(traces(&scene), Vec::<String>::new());
}

async fn a_sandbox_that_another_launcher_makes_is_left_alone() {
    let scene = Scene::new();
    let silent = Silent::at(scene.path("work/silent"));
    let (id, starting) = hang(&scene, &silent).await;
    let (mut other, channel) = scene.another();
    let launcher = packhost_launcher::Launcher::new(channel).expect("a channel");
    assert_eq!(launcher.list().await.expect("a list"), []);
    drop(launcher);
    assert!(other.wait().expect("our child").success());
    assert!(scene.path("state/sandboxes").join(&id).join("recipe").exists());
    silent.speak();
    starting.await.expect("no panic").expect_err("its mount cannot be looked at");
}

async fn a_start_whose_worker_is_killed_leaves_nothing() {
    let scene = Scene::new();
    let silent = Silent::at(scene.path("work/silent"));
    let (_, starting) = hang(&scene, &silent).await;
    let launcher = scene.launcher_pid();
    let children = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children"));
    let worker = children.expect("it runs").trim().parse().expect("one child");
    std::process::Command::new("kill").args(["-9", &format!("{worker}")]).status().expect("kill");
    gone(worker).await;
    match starting.await.expect("no panic") {
        Err(LauncherError::Refused(refusal)) => assert_eq!(refusal.fault, Fault::Failed),
        other => panic!("{other:?}"),
    }
    drop(silent);
    assert_eq!(traces(&scene), Vec::<String>::new());
}
