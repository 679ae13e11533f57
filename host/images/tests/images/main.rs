//! Images from real packages: needs `mmdebstrap` and a mirror, as a build does. One test, since each build takes its time.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use packhost_images::{Installed, Progress, Store, build, import_into_docker, recipe};
use packhost_test_engine::Engine;

#[tokio::test(flavor = "multi_thread")]
async fn the_image_python_is_built_twice_the_same_and_runs_python() {
    let room = tempfile::tempdir().expect("a directory");
    let store = Store::at(room.path().join("images"));
    assert_eq!(store.find("python").expect("an empty store"), None);
    let python = recipe("python").expect("a recipe");
    let said = Mutex::new(Vec::new());
    let built =
        build(&python, &store, &|step| said.lock().expect("a list").push(step)).await.expect("an image");
    assert!(!built.unchanged);
    assert!(said.lock().expect("a list").contains(&Progress::Layer));

    let image = store.find("python").expect("a store").expect("the image");
    assert_eq!(image, built.installed);
    assert!(image.size < 80 << 20, "{} bytes", image.size);
    let sum = Command::new("sha256sum").arg(image.layer()).output().expect("it runs").stdout;
    assert_eq!(format!("sha256:{}", String::from_utf8_lossy(&sum[..64])), image.digest);

    let again = build(&python, &store, &|_| {}).await.expect("an image");
    assert_eq!((again.installed.digest.as_str(), again.unchanged), (image.digest.as_str(), true));

    runs_python(&image.rootfs());
    holds_no_more_than_it_should(&image.rootfs());
    lists_what_is_in_it(&image);
    runs_in_docker(&store, &image).await;
}

fn lists_what_is_in_it(image: &Installed) {
    let names: BTreeSet<&str> = image.packages.iter().map(|package| package.name.as_str()).collect();
    assert!(
        names.is_superset(&["python3.11-minimal", "libc6", "dash", "ca-certificates"].into()),
        "{names:?}"
    );
    assert!(names.is_disjoint(&["dpkg", "perl-base", "tar", "debconf"].into()), "{names:?}");
    let sbom: serde_json::Value =
        serde_json::from_slice(&fs::read(image.sbom()).expect("a file")).expect("JSON");
    let listed = sbom["components"].as_array().expect("components");
    assert_eq!((sbom["bomFormat"].as_str(), listed.len()), (Some("CycloneDX"), image.packages.len()));
    assert!(listed.iter().any(|part| part["licenses"].is_array() && part["name"] == "coreutils"));
}

fn runs_python(rootfs: &Path) {
    let script = "import ssl, sqlite3, ctypes, json, zoneinfo, subprocess, hashlib, lzma, bz2, asyncio\n\
                  assert len(ssl.create_default_context().get_ca_certs()) > 100\n\
                  assert json.__cached__ and __import__('os').path.exists(json.__cached__)\n\
                  print(subprocess.check_output('ls /', shell=True, text=True).split())";
    let ran = Command::new("chroot")
        .arg(rootfs)
        .args(["/usr/bin/python3", "-c", script])
        .output()
        .expect("chroot runs");
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && printed.contains("'sandbox'"),
        "{printed}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// No setuid bits, no devices, no package manager, no links that lead out, and owners as they are here.
fn holds_no_more_than_it_should(rootfs: &Path) {
    for absent in ["var", "etc/apt", "usr/share/man", "usr/bin/dpkg", "usr/bin/perl", ".packhost-build"] {
        assert!(fs::symlink_metadata(rootfs.join(absent)).is_err(), "{absent}");
    }
    let mut left = vec![rootfs.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let entry = entry.expect("an entry");
            let found = entry.metadata().expect("it is there");
            assert_eq!(found.mode() & 0o6000, 0, "{}", entry.path().display());
            assert!(found.is_dir() || found.is_file() || found.is_symlink(), "{}", entry.path().display());
            if found.is_dir() {
                left.push(entry.path());
            }
        }
    }
}

async fn runs_in_docker(store: &Store, image: &Installed) {
    let engine = Engine::start().await;
    let loaded = async || import_into_docker(store, image, &engine.socket()).await;
    let id = loaded().await.expect("the engine takes it");
    assert!(id.starts_with("sha256:"), "{id}");
    assert_eq!(loaded().await.expect("once more"), id);
    let found = store.find("python").expect("a store").expect("the image");
    assert_eq!(found.docker_id.as_deref(), Some(id.as_str()));
    assert_eq!(engine.docker(&["image", "inspect", "--format", "{{.Id}}", "packhost/python"]), id);
    let layers = engine.docker(&["image", "inspect", "--format", "{{join .RootFS.Layers \" \"}}", &id]);
    assert_eq!(layers, image.digest);
    let run =
        ["run", "--rm", "--network=none", "--read-only", "--user=1000", "packhost/python", "python3", "-c"];
    assert_eq!(
        engine.docker(&[&run[..], &["import json; print(json.dumps({'a': 1}))"]].concat()),
        r#"{"a": 1}"#
    );
}
