//! What a new plugin's crate is made of.

use std::path::Path;

use clap::ValueEnum;
use include_dir::{Dir, File, include_dir};

/// The SDK, for crates that are far from the repository.
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../plugins/sdk");

/// The workspace that the SDK is a member of.
const SDK_WORKSPACE: &str = include_str!("../../../../plugins/Cargo.toml");

/// The contract, of which the SDK makes its bindings.
const CONTRACT: &str = include_str!("../../../../wit/deja-policy.wit");

/// What a plugin decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// What counts as the same question.
    Keyer,
    /// What leaves when memory is full.
    Eviction,
    /// What is reported.
    Stats,
}

impl Kind {
    fn source(self) -> &'static str {
        match self {
            Self::Keyer => include_str!("../../templates/src/keyer.rs"),
            Self::Eviction => include_str!("../../templates/src/eviction.rs"),
            Self::Stats => include_str!("../../templates/src/stats.rs"),
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Keyer => "The end user's id does not matter",
            Self::Eviction => "What came in first leaves first",
            Self::Stats => "Counts hits, other answers, and the time that was saved",
        }
    }

    /// How the server's configuration names a plugin of this kind.
    fn configuration(self, name: &str) -> String {
        let table = match self {
            Self::Keyer => "[[keyer]]",
            Self::Eviction => "[eviction]",
            Self::Stats => "[stats]",
        };
        format!("{table}\nplugin = \"{name}\"")
    }
}

/// A file of a new crate: its path in there, and what it holds.
pub(crate) type NewFile = (String, Vec<u8>);

/// The files of a new crate whose SDK lies at this path.
pub(crate) fn crate_files(name: &str, kind: Kind, sdk: &Path) -> Vec<NewFile> {
    let sdk = toml::Value::from(sdk.to_string_lossy().into_owned()).to_string();
    let fill = |template: &str| {
        let filled = template
            .replace("{{name}}", name)
            .replace("{{description}}", kind.description())
            .replace("{{configuration}}", &kind.configuration(name))
            .replace("{{sdk}}", &sdk);
        filled.into_bytes()
    };
    vec![
        (
            "Cargo.toml".to_owned(),
            fill(include_str!("../../templates/Cargo.toml.template")),
        ),
        (
            "README.md".to_owned(),
            fill(include_str!("../../templates/README.md.template")),
        ),
        (".gitignore".to_owned(), b"/dist/\n/target/\n".to_vec()),
        ("src/lib.rs".to_owned(), kind.source().into()),
    ]
}

/// A copy of the SDK, laid out as in the repository.
pub(crate) fn sdk_files() -> Vec<NewFile> {
    let mut files = vec![
        ("wit/deja-policy.wit".to_owned(), CONTRACT.into()),
        (
            "plugins/Cargo.toml".to_owned(),
            sdk_workspace().into_bytes(),
        ),
    ];
    collect(&SDK, &mut |file| {
        let path = format!("plugins/sdk/{}", file.path().display());
        files.push((path, file.contents().to_vec()));
    });
    files
}

/// The workspace with no member but the SDK.
fn sdk_workspace() -> String {
    let mut workspace: toml::Table = SDK_WORKSPACE.parse().expect("cargo reads it as well");
    let members = vec![toml::Value::from("sdk")];
    workspace["workspace"]["members"] = members.into();
    // Profiles of plugins that are not there.
    workspace.remove("profile");
    workspace.to_string()
}

fn collect<'a>(folder: &'a Dir<'a>, take: &mut impl FnMut(&'a File<'a>)) {
    folder.files().for_each(&mut *take);
    for folder in folder.dirs() {
        collect(folder, take);
    }
}
