//! Which files the user means.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Endings of capture files in a folder, each also with `.gz` or `.zst`.
const ENDINGS: [&str; 5] = [".pcap", ".pcapng", ".cap", ".dmp", ".erf"];
/// More files than this in one folder are more likely a mistake than a fabric.
const FILES_MAX: usize = 4_096;

/// Files and standard input as given; a folder becomes the capture files in it, by name.
pub fn expand(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in given {
        if path != Path::new("-") && path.is_dir() {
            files.extend(folder(path)?);
        } else {
            files.push(path.clone());
        }
    }
    if files.iter().filter(|f| *f == Path::new("-")).count() > 1 {
        return Err(Failure::new("cannot read standard input", "it was given more than once", "give - once"));
    }
    Ok(files)
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |why: std::io::Error| Failure::file("read the folder", path, &why);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if is_capture(&file) && file.is_file() {
            files.push(file);
        }
    }
    let to_do = "name the files instead";
    if files.is_empty() {
        let why = format!("no file ends in {}, also with .gz or .zst", ENDINGS.join(", "));
        return Err(Failure::new(format!("no captures in {}", path.display()), why, to_do));
    }
    if files.len() > FILES_MAX {
        let why = format!("{} captures, at most {FILES_MAX} are merged", files.len());
        return Err(Failure::new(format!("cannot read the folder {}", path.display()), why, to_do));
    }
    files.sort();
    Ok(files)
}

fn is_capture(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_captures_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.pcap", "a.pcapng.zst", "labels.json", "C.CAP.gz"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let files = expand(&[folder.path().to_owned(), PathBuf::from("-")]).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["C.CAP.gz", "a.pcapng.zst", "b.pcap", "-"]);
    }

    #[test]
    fn a_folder_without_captures_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let failure = expand(&[folder.path().to_owned()]).unwrap_err();
        assert!(failure.to_string().contains("no captures in"), "{failure}");
    }

    #[test]
    fn standard_input_is_read_once() {
        assert!(expand(&["-".into(), "-".into()]).is_err());
    }
}
