//! Reading files that anybody may have put there.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that is not read, and why.
#[derive(Debug)]
pub struct Unreadable {
    /// Where it is looked for.
    pub path: PathBuf,
    /// What became of that.
    pub error: io::Error,
}

/// The bytes of a file of at most `max_bytes`.
///
/// # Errors
/// It cannot be read, has more bytes ([`io::ErrorKind::FileTooLarge`]), or is no regular file: a pipe or a device has no end to be
/// read to.
pub fn read_file(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let too_large = |size: String| {
        let message = format!("it has {size} bytes; at most {max_bytes} are read");
        io::Error::new(io::ErrorKind::FileTooLarge, message)
    };
    // To open a pipe is else to wait for somebody who writes to it.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if about.len() > max_bytes {
        return Err(too_large(about.len().to_string()));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(format!("more than {max_bytes}")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn told(path: impl Into<PathBuf>, max_bytes: u64) -> String {
        match read_file(&path.into(), max_bytes) {
            Ok(bytes) => format!("{} bytes", bytes.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_regular_files_that_are_small_enough_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, [7; 100]).unwrap();
        assert_eq!(told(&file, 100), "100 bytes");
        assert_eq!(told(&file, 99), "it has 100 bytes; at most 99 are read");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(told(&link, 100), "100 bytes");
        let sparse = std::fs::File::create(folder.path().join("sparse")).unwrap();
        sparse.set_len(40 << 30).unwrap();
        assert_eq!(
            told(folder.path().join("sparse"), 100),
            "it has 42949672960 bytes; at most 100 are read"
        );
        let pipe = folder.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        for endless in [pipe, "/dev/zero".into(), folder.path().to_owned()] {
            assert_eq!(told(endless, 100), "it is no regular file");
        }
        let missing = told(folder.path().join("missing"), 100);
        assert!(missing.starts_with("No such file"), "{missing}");
    }
}
