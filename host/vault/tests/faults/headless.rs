//! A machine without a desktop: no home, no session, no keychain. The master key comes from where such a machine has it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use packhost_state::Database;
use packhost_vault::{KeySource, Vault};

use crate::child::{Heard, command, role};
use crate::model::{Deed, found};

/// 32 bytes in base64.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const VARIABLE: &str = "PACKHOST_VAULT_TEST_KEY";
/// What a session of a user has.
const SESSION: [&str; 6] =
    ["HOME", "USER", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"];

fn vault(dir: &Path, source: KeySource) -> Vault {
    Vault::open(Arc::new(Database::open(dir).expect("a directory of ours")), source).expect("tables of ours")
}

fn sources(dir: &Path) -> [KeySource; 4] {
    [
        KeySource::Env(VARIABLE.into()),
        KeySource::Systemd("vault-key".into()),
        KeySource::File(dir.join("vault-key")),
        KeySource::Command(["cat", dir.join("vault-key").to_str().expect("text")].map(String::from).into()),
    ]
}

#[test]
fn without_a_session_the_key_comes_from_the_environment_systemd_a_file_or_a_command() {
    if let Some(dir) = role() {
        let dir = Path::new(&dir);
        for (number, source) in sources(dir).into_iter().enumerate() {
            let vault = vault(dir, source);
            Deed::Set(5).run(&vault, &format!("N{number}")).expect("kept");
            assert_eq!(found(&vault).len(), number + 1, "what was kept with the same key opens");
        }
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("vault-key");
    fs::write(&file, format!("{KEY}\n")).expect("ours");
    fs::set_permissions(&file, Permissions::from_mode(0o400)).expect("ours");
    let test = "headless::without_a_session_the_key_comes_from_the_environment_systemd_a_file_or_a_command";
    let mut command = command(&["env"], test, dir.path().to_str().expect("text"));
    for variable in SESSION {
        command.env_remove(variable);
    }
    command.env(VARIABLE, KEY).env("CREDENTIALS_DIRECTORY", dir.path());
    let (_, status) = Heard::start(command).end();
    assert!(status.success(), "see above: {status}");
    let own = vault(dir.path(), KeySource::File(file));
    assert_eq!(found(&own).len(), 4, "the child has run");
}
