//! Fetches the library once, through npm, and keeps it only if both checksums fit.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::digest::Update;
use sha2::{Digest, Sha256, Sha512};

use super::config::hex;
use super::library::{LIBRARY_ENV, RELEASE, find, folders, is_whole, supported};
use super::tar;
use crate::StoreError;

/// Puts the library into the cache and says where; does nothing when it is there. Blocks while npm loads 178 MB.
///
/// # Errors
/// npm is missing or fails, a checksum does not fit, or the cache folder cannot be written.
pub fn fetch(say: &dyn Fn(&str)) -> Result<PathBuf, StoreError> {
    if let Ok(there) = find() {
        return Ok(there);
    }
    if !supported() {
        let why = "only Linux x86-64 with glibc has a pinned library";
        return Err(StoreError::Never(format!(
            "{why}; name one of your own with {LIBRARY_ENV}, or use --store memory"
        )));
    }
    let folder = writable_folder()?;
    let work = folder.join(format!("fetch.{}", std::process::id()));
    fs::create_dir_all(&work).map_err(|why| failed("make the folder", &work, &why))?;
    let done = fetch_into(&work, &folder.join(RELEASE.file), say);
    // What is left after a failure is of no use; that it stays would only cost space.
    let _ = fs::remove_dir_all(&work);
    done
}

fn failed(doing: &str, path: &Path, why: &io::Error) -> StoreError {
    StoreError::Never(format!("cannot {doing} {}: {why}", path.display()))
}

fn writable_folder() -> Result<PathBuf, StoreError> {
    let mut last = StoreError::Never("no folder for the library: set XDG_CACHE_HOME or HOME".to_owned());
    for folder in folders() {
        match fs::create_dir_all(&folder) {
            Ok(()) => return Ok(folder),
            Err(why) => last = failed("make the folder", &folder, &why),
        }
    }
    Err(last)
}

fn fetch_into(work: &Path, kept: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, StoreError> {
    say(&format!("fetching {} through npm (178 MB)", RELEASE.package));
    pack(work)?;
    let tarball = work.join(RELEASE.tarball);
    say("comparing checksums");
    let mut hash = Summed::<Sha512, _>::new(io::sink());
    let opened = File::open(&tarball).and_then(|mut file| io::copy(&mut file, &mut hash));
    opened.map_err(|why| failed("read", &tarball, &why))?;
    compare(RELEASE.package, &hash.hex(), RELEASE.tarball_sha512)?;
    let part = work.join(RELEASE.file);
    let unpacked = unpack(&tarball, &part).map_err(|why| failed("unpack", &tarball, &why))?;
    compare("libchdb.so", &unpacked, RELEASE.library_sha256)?;
    fs::rename(&part, kept).map_err(|why| failed("write", kept, &why))?;
    if is_whole(kept) { Ok(kept.to_owned()) } else { Err(failed("keep", kept, &io::ErrorKind::InvalidData.into())) }
}

fn pack(work: &Path) -> Result<(), StoreError> {
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", RELEASE.package]).current_dir(work).stdin(Stdio::null()).stdout(Stdio::null());
    let output = npm.output().map_err(|why| {
        StoreError::Never(format!(
            "cannot run npm ({why}); install it (Debian: apt-get install npm), then run this again"
        ))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = crate::sql::shown(&said, 400);
    Err(StoreError::Retry(format!("npm could not fetch {}: {said}; is the registry reachable?", RELEASE.package)))
}

fn compare(what: &str, is: &str, should: &str) -> Result<(), StoreError> {
    if is == should {
        return Ok(());
    }
    Err(StoreError::Never(format!("{what} has checksum {is}, pinned is {should}; it is not kept")))
}

/// Unpacks the library and returns its SHA-256.
fn unpack(tarball: &Path, part: &Path) -> io::Result<String> {
    let file = io::BufReader::with_capacity(1 << 20, File::open(tarball)?);
    let mut archive = flate2::read::GzDecoder::new(file);
    let size = tar::seek_to(&mut archive, "package/libchdb.so")?;
    let mut out = Summed::<Sha256, _>::new(File::create(part)?);
    let mut content = io::BufReader::with_capacity(1 << 20, archive.take(size));
    io::copy(&mut content, &mut out)?;
    out.inner.sync_all()?;
    Ok(out.hex())
}

/// A writer that sums what passes.
struct Summed<D, W> {
    digest: D,
    inner: W,
}

impl<D: Digest + Update, W> Summed<D, W> {
    fn new(inner: W) -> Self {
        Self { digest: D::new(), inner }
    }

    fn hex(self) -> String {
        hex(&self.digest.finalize())
    }
}

impl<D: Digest + Update, W: Write> Write for Summed<D, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        Digest::update(&mut self.digest, bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
