//! Markers in a growing text.

/// Bytes of the longest end of the text with which one of the markers begins.
pub(crate) fn longest_beginning<S: AsRef<str>>(text: &str, markers: &[S]) -> usize {
    let ends = text.char_indices().map(|(position, _)| &text[position..]);
    let begins = |end: &&str| {
        markers
            .iter()
            .any(|marker| marker.as_ref().starts_with(end))
    };
    ends.filter(begins).map(str::len).next().unwrap_or(0)
}

/// The first marker in the text, and where it stands.
pub(super) fn first<'a>(text: &str, markers: &[&'a str]) -> Option<(usize, &'a str)> {
    let found = markers
        .iter()
        .filter_map(|marker| Some((text.find(marker)?, *marker)));
    found.min_by_key(|(position, _)| *position)
}
