//! A launcher that is a normal user: the same sandbox with one user inside.

use std::fs;
use std::path::PathBuf;

use packhost_launcher::{Access, Mount, Recipe};

use crate::scene::{Scene, recipe};

crate::trials![
    a_normal_user_makes_a_sandbox,
    a_normal_user_says_what_cannot_be_held,
    a_normal_users_sandbox_has_no_power_over_mounts,
    a_normal_users_sandbox_writes_a_mount_as_that_user,
    a_normal_users_sandbox_is_taken_over_and_killed,
];

async fn a_normal_user_makes_a_sandbox() {
    let scene = Scene::of_a_user();
    let (id, pid) = scene.start(recipe()).await;
    assert_eq!(
        scene.output(&id, "id -u; id -un; cat /proc/sys/kernel/hostname").await,
        "1000\nsandbox\nsandbox"
    );
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    assert_eq!(scene.output(&id, "cut -d: -f1 /etc/passwd").await, "root\nsandbox\nnobody");
    assert_eq!(scene.output(&id, "echo x > /sandbox/x; cat /sandbox/x").await, "x");
}

async fn a_normal_user_says_what_cannot_be_held() {
    let scene = Scene::of_a_user();
    let about = scene.launcher.about().await.expect("an answer");
    assert_eq!((about.unusable, about.two_users), (None, false));
    let limits = about.lacking.iter().filter(|sentence| sentence.contains("cgroup")).count();
    assert_eq!(limits, 3, "{:?}", about.lacking);
    let kernel = packhost_confine::not_held();
    assert!(about.lacking.ends_with(&kernel) && about.lacking.len() == limits + kernel.len());
}

async fn a_normal_users_sandbox_has_no_power_over_mounts() {
    let scene = Scene::of_a_user();
    let (id, pid) = scene.start(recipe()).await;
    for command in
        ["mount -t tmpfs none /sandbox", "umount -l /usr", "hostname other", "echo > /usr/x", "echo > /x"]
    {
        assert_ne!(scene.run(&id, command).await.0, 0, "{command}");
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    for name in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert!(status.contains(&format!("{name}\t0000000000000000")), "{status}");
    }
}

async fn a_normal_users_sandbox_writes_a_mount_as_that_user() {
    let scene = Scene::of_a_user();
    let inside = PathBuf::from("/workspace");
    let mounts = vec![Mount { host: scene.path("work"), inside, access: Access::ReadWrite }];
    let (id, _) = scene.start(Recipe { mounts, ..recipe() }).await;
    scene.output(&id, "echo new > /workspace/new").await;
    let file = fs::metadata(scene.path("work/new")).expect("there");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&file), 65534);
}

async fn a_normal_users_sandbox_is_taken_over_and_killed() {
    let mut scene = Scene::of_a_user();
    let (id, pid) = scene.start(recipe()).await;
    scene.restart();
    assert_eq!(scene.output(&id, "echo on").await, "on");
    scene.launcher.kill(&id).await.expect("its end");
    crate::lifecycle::gone(pid).await;
}
