//! A folder tree with sizes.

use std::io;
use std::path::Path;

use crate::print::bytes::Bytes;

/// A line for each file and folder below `folder`, in the order of their names.
pub(crate) fn sizes(folder: impl AsRef<Path>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut waiting = vec![(0_usize, folder.as_ref().to_owned())];
    while let Some((depth, path)) = waiting.pop() {
        let metadata = path.metadata()?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let indent = "  ".repeat(depth);
        if metadata.is_dir() {
            lines.push(format!("{indent}{name}/"));
            let mut inner = path
                .read_dir()?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<Vec<_>>>()?;
            inner.sort();
            waiting.extend(inner.into_iter().rev().map(|path| (depth + 1, path)));
        } else {
            lines.push(format!("{indent}{:>10}  {name}", Bytes(metadata.len())));
        }
    }
    Ok(lines)
}
