//! The pinned library: which release, where it is kept.

use std::path::{Path, PathBuf};

use crate::StoreError;

/// Names a library file to use instead of the fetched one.
pub const LIBRARY_ENV: &str = "FABRICSCOPE_CHDB";

/// A release that was tried.
pub struct Release {
    /// Package of the npm registry, with version.
    pub package: &'static str,
    /// File that `npm pack` writes.
    pub tarball: &'static str,
    /// SHA-512 of the tarball, hexadecimal; the registry lists the same.
    pub tarball_sha512: &'static str,
    /// SHA-256 of `libchdb.so`, hexadecimal.
    pub library_sha256: &'static str,
    /// Its size in bytes.
    pub library_bytes: u64,
    /// Its name where it is kept: another release is another file.
    pub file: &'static str,
}

/// ClickHouse 26.7.2.1 as a shared library (Apache-2.0).
pub const RELEASE: Release = Release {
    package: "@chdb/lib-linux-x64-gnu@26.7.3-stable.1",
    tarball: "chdb-lib-linux-x64-gnu-26.7.3-stable.1.tgz",
    tarball_sha512: "5cff7b98caa7739b59a4a432c11f0dedc2d3b073624e61ebdf4a42e66ce8de35\
                     a6ba48ca9f62016bad1cd81fe059435cb858ce3235a8a2b408082a81563e70a7",
    library_sha256: "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5",
    library_bytes: 566_330_096,
    file: "libchdb-26.7.3-stable.1.so",
};

/// There is one for this machine. The package for arm64 was not tried, so its checksums are not pinned.
pub fn supported() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))
}

/// Folders in which the library may be kept, the one to write to first.
pub fn folders() -> Vec<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let user = from("XDG_CACHE_HOME").or_else(|| from("HOME").map(|home| home.join(".cache")));
    let user = user.filter(|path| path.is_absolute());
    user.into_iter().chain([PathBuf::from("/var/cache")]).map(|path| path.join("fabricscope")).collect()
}

/// The library of this machine.
///
/// # Errors
/// It is not there: the message names the command that fetches it, and what works without.
pub fn find() -> Result<PathBuf, StoreError> {
    if let Some(named) = std::env::var_os(LIBRARY_ENV).filter(|v| !v.is_empty()).map(PathBuf::from) {
        if named.is_file() {
            return Ok(named);
        }
        return Err(StoreError::Never(format!("{LIBRARY_ENV} names {}, and there is no such file", named.display())));
    }
    let kept = folders().into_iter().map(|folder| folder.join(RELEASE.file));
    kept.into_iter().find(|file| is_whole(file)).ok_or_else(absent)
}

/// Its checksum was compared before it got this name; a wrong size says that something happened to it since.
pub fn is_whole(file: &Path) -> bool {
    file.metadata().is_ok_and(|m| m.is_file() && m.len() == RELEASE.library_bytes)
}

fn absent() -> StoreError {
    let others = "or use --store memory (nothing to install, gone at the end), or --store http://user:password@host:8123/database";
    StoreError::Never(if supported() {
        format!(
            "the ClickHouse library is not here yet; run `fabricscope setup-store` once (178 MB through npm), {others}"
        )
    } else {
        format!(
            "there is no pinned ClickHouse library for this machine (only Linux x86-64 with glibc); name one with {LIBRARY_ENV}, {others}"
        )
    })
}
