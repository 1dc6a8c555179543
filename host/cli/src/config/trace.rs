//! Whether traffic is recorded, and how.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use deja_trace::RecorderSettings;

use super::reader::Section;

/// How traffic is recorded; none where there is no such section.
pub(super) fn trace(file: &mut Section<'_>, folder: &Path) -> Option<RecorderSettings> {
    let is_on = file.has("trace");
    let mut section = file.section("trace");
    let settings = RecorderSettings {
        dir: folder.join(section.get("dir", PathBuf::from("traces"))),
        max_bytes: section.get("max_bytes", ByteSize::gib(1)).as_u64(),
        max_age: section.get("max_age", Duration::from_hours(30 * 24)),
        max_segment_bytes: section.get("max_segment_bytes", ByteSize::mib(64)).as_u64(),
        flush: section.get("flush", Duration::from_secs(1)),
        bodies: section.get("bodies", true),
    };
    section.finish();
    is_on.then_some(settings)
}
