//! Names a replay by its input, so that a second replay of the same input writes the same rows.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::args::AnalysisArgs;
use crate::failure::Failure;

/// Bytes at the beginning of each file that count, with its name and size.
const HEAD: u64 = 1 << 16;

/// 16 hexadecimal digits over the inputs and what changes their analysis. Standard input can't be read twice: it is named by the time.
pub fn run_name(paths: &[PathBuf], args: &AnalysisArgs) -> Result<String, Failure> {
    let mut hash = Sha256::new();
    for path in paths {
        if path == Path::new("-") {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            hash.update(now.as_nanos().to_le_bytes());
        } else {
            add_file(&mut hash, path).map_err(|why| Failure::file("read", path, &why))?;
        }
    }
    for file in [&args.topology, &args.signatures, &args.policy, &args.config].into_iter().flatten() {
        add_file(&mut hash, file).map_err(|why| Failure::file("read", file, &why))?;
    }
    hash.update(args.filter.as_deref().unwrap_or_default());
    Ok(hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect())
}

fn add_file(hash: &mut Sha256, path: &Path) -> std::io::Result<()> {
    let file = File::open(path)?;
    hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
    hash.update(file.metadata()?.len().to_le_bytes());
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head)?;
    hash.update(head);
    Ok(())
}
