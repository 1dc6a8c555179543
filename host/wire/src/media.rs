//! Images and documents as URLs, which is how `OpenAI`'s APIs hold them.

use crate::Media;

impl Media {
    /// Returns the bytes in this data URL (RFC 2397), if it is one in base64.
    pub(crate) fn of_data_url(url: &str) -> Option<Self> {
        let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
        Some(Self::Base64 {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        })
    }

    /// Returns what stands at this URL. `None` if it is a data URL in another form than base64.
    pub(crate) fn of_url(url: &str) -> Option<Self> {
        if url.starts_with("data:") {
            Self::of_data_url(url)
        } else {
            Some(Self::Url(url.to_owned()))
        }
    }

    /// Returns the URL at which it stands, or a data URL of its bytes. `None` for a file at its
    /// vendor.
    pub(crate) fn url(&self) -> Option<String> {
        match self {
            Self::Url(url) => Some(url.clone()),
            Self::Base64 { media_type, data } => Some(format!("data:{media_type};base64,{data}")),
            Self::File(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_survives_the_way_there_and_back() {
        for url in ["data:image/png;base64,AA", "https://a.example/b.png"] {
            let media = Media::of_url(url).expect("it is a URL of a medium");
            assert_eq!(media.url().as_deref(), Some(url));
        }
        assert_eq!(Media::of_url("data:image/png,A"), None);
        assert_eq!(Media::File("file_1".to_owned()).url(), None);
    }
}
