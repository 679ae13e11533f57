//! Which parts of the machine come in: what the launcher was told at its start, and of that what the recipe names.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use packhost_launcher::{Access, Fault, Files, LauncherError, Mount, Recipe};

use crate::scene::{FILES, Scene, recipe};

crate::trials![
    a_path_that_is_not_granted_is_refused,
    a_link_out_of_what_is_granted_is_refused,
    what_is_never_granted_is_refused,
    a_granted_path_that_is_not_there_is_left_out,
    a_mount_can_be_written_as_the_hosts_user,
    a_read_only_mount_cannot_be_written,
    a_mount_beyond_a_link_is_refused,
    a_mount_that_is_not_granted_is_refused,
    a_sandbox_is_made_from_an_unpacked_image,
    a_link_in_an_image_leads_nowhere_outside,
    an_image_that_is_not_there_is_told,
    a_recipe_that_breaks_its_bounds_is_refused,
];

fn host(paths: &[PathBuf]) -> Recipe {
    let all = FILES.into_iter().map(PathBuf::from).chain(paths.iter().cloned()).collect();
    Recipe { files: Files::Host(all), ..recipe() }
}

fn mounting(host: PathBuf, access: Access) -> Recipe {
    Recipe { mounts: vec![Mount { host, inside: PathBuf::from("/workspace"), access }], ..recipe() }
}

async fn refused(scene: &Scene, recipe: Recipe) -> (Fault, String) {
    match scene.launcher.start(recipe).await {
        Err(LauncherError::Refused(refusal)) => {
            assert_eq!(scene.launcher.list().await.expect("a list"), []);
            assert_eq!(fs::read_dir(scene.path("state/sandboxes")).expect("a directory").count(), 0);
            (refusal.fault, refusal.message)
        }
        other => panic!("not refused: {other:?}"),
    }
}

async fn a_path_that_is_not_granted_is_refused() {
    let scene = Scene::new();
    let (fault, message) = refused(&scene, host(&["/opt".into()])).await;
    assert_eq!(
        (fault, message.as_str()),
        (Fault::Unsupported, "/opt is not granted to sandboxes on this host")
    );
}

async fn a_link_out_of_what_is_granted_is_refused() {
    let scene = Scene::new();
    let link = scene.path("readable/link");
    symlink("/root", &link).expect("a link");
    let (fault, message) = refused(&scene, host(&[link])).await;
    assert!(fault == Fault::Unsupported && message.contains("(which is /root) is never given"), "{message}");
}

async fn what_is_never_granted_is_refused() {
    let scene = Scene::new();
    for path in ["/etc", "/etc/shadow", "/proc/1", "/dev/vda", "/sys/kernel", "/"] {
        refused(&scene, host(&[path.into()])).await;
    }
    refused(&scene, host(&[scene.path("state")])).await;
}

async fn a_granted_path_that_is_not_there_is_left_out() {
    let scene = Scene::new();
    let present = scene.path("readable/here");
    fs::write(&present, "here").expect("ours");
    let (id, _) = scene.start(host(&[scene.path("readable/absent"), present.clone()])).await;
    assert_eq!(scene.output(&id, &format!("cat {}", present.display())).await, "here");
}

async fn a_mount_can_be_written_as_the_hosts_user() {
    let scene = Scene::new();
    let work = scene.path("work/one");
    fs::create_dir(&work).expect("ours");
    fs::write(work.join("given"), "given").expect("ours");
    let (id, _) = scene.start(mounting(work.clone(), Access::ReadWrite)).await;
    let output = scene
        .output(&id, "cd /workspace && cat given && echo more >> given && echo new > new && stat -c %U given")
        .await;
    assert_eq!(output, "givensandbox");
    assert_eq!(fs::read_to_string(work.join("given")).expect("ours"), "givenmore\n");
    let owner = |path| fs::metadata(path).expect("there").uid();
    assert_eq!(owner(work.join("new")), owner(work.clone()));
    // Nothing there gives anybody power, nor is a device.
    assert_ne!(scene.run(&id, "mknod /workspace/d b 1 1").await.0, 0);
}

async fn a_read_only_mount_cannot_be_written() {
    let scene = Scene::new();
    let work = scene.path("work/one");
    fs::create_dir(&work).expect("ours");
    let (id, _) = scene.start(mounting(work, Access::ReadOnly)).await;
    let (code, output) = scene.run(&id, "echo > /workspace/x").await;
    assert!(code != 0 && output.contains("Read-only"), "{output}");
}

async fn a_mount_beyond_a_link_is_refused() {
    let scene = Scene::new();
    symlink("/root", scene.path("work/link")).expect("a link");
    refused(&scene, mounting(scene.path("work/link"), Access::ReadWrite)).await;
    symlink("/", scene.path("work/all")).expect("a link");
    refused(&scene, mounting(scene.path("work/all/root"), Access::ReadWrite)).await;
}

async fn a_mount_that_is_not_granted_is_refused() {
    let scene = Scene::new();
    for host in ["/root".into(), scene.path("state"), scene.path("work/../state")] {
        refused(&scene, mounting(host, Access::ReadOnly)).await;
    }
}

/// An image with a few programs of the machine and the libraries that they need.
fn image(scene: &Scene) -> PathBuf {
    let rootfs = scene.path("images/packhost/small/rootfs");
    for directory in ["usr/bin", "etc", "proc", "opt"] {
        fs::create_dir_all(rootfs.join(directory)).expect("ours");
    }
    symlink("usr/bin", rootfs.join("bin")).expect("a link");
    fs::write(rootfs.join("etc/passwd"), "intruder:x:0:0::/:\n").expect("ours");
    fs::write(rootfs.join("etc/os-release"), "NAME=small\n").expect("ours");
    for directory in ["lib", "lib64"] {
        symlink(format!("usr/{directory}"), rootfs.join(directory)).expect("a link");
        fs::create_dir_all(rootfs.join("usr").join(directory)).expect("ours");
    }
    let libraries =
        std::process::Command::new("ldd").args(["/bin/bash", "/bin/cat", "/bin/stat"]).output().expect("ldd");
    let libraries = String::from_utf8(libraries.stdout).expect("text");
    let files = libraries.split_whitespace().filter(|word| word.starts_with("/lib"));
    for file in files.map(|word| word.trim_end_matches(':')) {
        let to = rootfs.join("usr").join(file.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a directory")).expect("ours");
        fs::copy(file, to).expect("a library");
    }
    for (program, name) in [("bash", "sh"), ("cat", "cat"), ("stat", "stat")] {
        fs::copy(format!("/bin/{program}"), rootfs.join("usr/bin").join(name)).expect("a program");
    }
    rootfs
}

async fn a_sandbox_is_made_from_an_unpacked_image() {
    let scene = Scene::new();
    image(&scene);
    let (id, _) = scene.start(Recipe { files: Files::Image("packhost/small".into()), ..recipe() }).await;
    assert_eq!(scene.output(&id, "cat /etc/os-release").await, "NAME=small");
    let users = scene.output(&id, "cat /etc/passwd").await;
    assert!(users.contains("sandbox:x:1000") && !users.contains("intruder"), "{users}");
    assert_eq!(scene.output(&id, "stat -c %u:%a /opt").await, "0:755");
    let (code, _) = scene.request(&id, "secho > /opt/x").await.expect("an answer");
    assert_ne!(code, 0);
}

async fn a_link_in_an_image_leads_nowhere_outside() {
    let scene = Scene::new();
    let rootfs = image(&scene);
    let target = scene.path("readable/target");
    fs::create_dir(&target).expect("ours");
    symlink(&target, rootfs.join("data")).expect("a link");
    let scratch = vec![PathBuf::from("/data/inner")];
    let made = scene
        .launcher
        .start(Recipe { files: Files::Image("packhost/small".into()), scratch, ..recipe() })
        .await;
    assert!(made.is_err() || fs::read_dir(&target).expect("ours").count() == 0);
    assert_eq!(fs::read_dir(&target).expect("ours").count(), 0);
}

async fn an_image_that_is_not_there_is_told() {
    let scene = Scene::new();
    for name in ["absent", "packhost/absent"] {
        let (fault, message) = refused(&scene, Recipe { files: Files::Image(name.into()), ..recipe() }).await;
        assert!(fault == Fault::Image && message.contains(name), "{message}");
    }
    for name in ["../state", "/etc", "", ".hidden", "a//b"] {
        let (fault, _) = refused(&scene, Recipe { files: Files::Image(name.into()), ..recipe() }).await;
        assert_eq!(fault, Fault::Unsupported, "{name}");
    }
}

async fn a_recipe_that_breaks_its_bounds_is_refused() {
    let scene = Scene::new();
    let many =
        |count: usize| (0..count).map(|number| PathBuf::from(format!("/s{number}"))).collect::<Vec<_>>();
    for bad in [
        Recipe { id: "../../etc".into(), ..recipe() },
        Recipe { id: String::new(), ..recipe() },
        Recipe { scratch: many(129), ..recipe() },
        Recipe { scratch: vec!["relative".into()], ..recipe() },
        Recipe { scratch: vec!["/a/../etc".into()], ..recipe() },
        Recipe { scratch: vec!["/proc/x".into()], ..recipe() },
        Recipe { scratch: vec!["/etc/x".into()], ..recipe() },
        Recipe { scratch: vec!["/".into()], ..recipe() },
        Recipe { scratch: vec![format!("/{}", "x".repeat(4096)).into()], ..recipe() },
        Recipe { owner: "x".repeat(257), ..recipe() },
        Recipe { env: [("A".into(), "b\0c".into())].into(), ..recipe() },
        Recipe { files: Files::Host(many(129)), ..recipe() },
    ] {
        assert_eq!(refused(&scene, bad).await.0, Fault::Unsupported);
    }
    // Longer than a packet: it is not even sent.
    let labels = (0..128).map(|number| (number.to_string(), "x".repeat(4000))).collect();
    assert!(matches!(
        scene.launcher.start(Recipe { labels, ..recipe() }).await,
        Err(LauncherError::Channel(_))
    ));
    scene.start(recipe()).await;
}
