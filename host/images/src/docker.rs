//! Loads an image of the store into a Docker Engine, as `docker load` would.

use std::io::Cursor;
use std::path::Path;

use bollard::query_parameters::ImportImageOptionsBuilder;
use bollard::{API_DEFAULT_VERSION, Docker, body_try_stream};
use futures::TryStreamExt;
use serde_json::json;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use crate::error::ImageError;
use crate::store::{Installed, Store};
use crate::{EPOCH, EPOCH_TEXT};

/// How long the engine may take to answer, in seconds.
const CALL: u64 = 300;
const PIECE: usize = 256 * 1024;
const BLOCK: u64 = 512;

/// Loads the image, and writes down and returns the id that the engine gives it. The same image again changes nothing.
/// The engine's name for it is `packhost/NAME`.
///
/// # Errors
///
/// [`ImageError::Docker`] for an engine that is not there or does not take it, and [`ImageError::File`].
pub async fn import_into_docker(
    store: &Store,
    image: &Installed,
    socket: &Path,
) -> Result<String, ImageError> {
    let failed = |error: bollard::errors::Error| ImageError::Docker(socket.to_owned(), error.to_string());
    let address = socket.to_str().unwrap_or_default();
    let client = Docker::connect_with_unix(address, CALL, API_DEFAULT_VERSION).map_err(failed)?;
    let client = client.negotiate_version().await.map_err(failed)?;
    let name = format!("packhost/{}", image.name);

    let layer = image.layer();
    let file = File::open(&layer).await.map_err(ImageError::file(&layer))?;
    let size = file.metadata().await.map_err(ImageError::file(&layer))?.len();
    let head = head(image, &name, size).map_err(ImageError::file(&layer))?;
    // The layer's last block is filled up, and two empty blocks end the archive.
    let tail = vec![0; usize::try_from((BLOCK - size % BLOCK) % BLOCK + 2 * BLOCK).unwrap_or_default()];
    let archive = Cursor::new(head).chain(file.take(size)).chain(Cursor::new(tail));
    let body = body_try_stream(ReaderStream::with_capacity(archive, PIECE));

    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    client.import_image(options, body, None).try_collect::<Vec<_>>().await.map_err(failed)?;
    let loaded = client.inspect_image(&name).await.map_err(failed)?;
    let id =
        loaded.id.ok_or_else(|| ImageError::Docker(socket.to_owned(), "it gave the image no id".into()))?;
    store.name_for_docker(image, &id)?;
    Ok(id)
}

/// The archive up to the layer's first byte: the image's configuration, and which files are what.
fn head(image: &Installed, name: &str, size: u64) -> std::io::Result<Vec<u8>> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH_TEXT,
        "config": {
            "Env": image.env,
            "Cmd": ["/bin/sh"],
            "Labels": { "packhost.image": image.name },
        },
        "rootfs": { "type": "layers", "diff_ids": [image.digest] },
        "history": [{ "created": EPOCH_TEXT, "created_by": format!("packhost images build {}", image.name) }],
    });
    let manifest =
        json!([{ "Config": "config.json", "RepoTags": [format!("{name}:latest")], "Layers": ["layer.tar"] }]);
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in [("manifest.json", manifest.to_string()), ("config.json", config.to_string())] {
        archive.append_data(&mut header(content.len() as u64), path, content.as_bytes())?;
    }
    let mut layer = header(size);
    layer.set_path("layer.tar")?;
    layer.set_cksum();
    archive.get_mut().extend_from_slice(layer.as_bytes());
    // Not finished here: the rest comes from the file. Taking the buffer out of the builder would end the archive.
    Ok(std::mem::take(archive.get_mut()))
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(EPOCH);
    header.set_entry_type(tar::EntryType::Regular);
    header
}
