//! From bytes to compiled code that is known to be a plugin of its kind.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::Problem;
use crate::settings::PluginKind;

/// The package of the contract.
const PACKAGE: &str = "deja:policy/";

/// The contract's version that this host speaks.
const VERSION: Version<'static> = Version {
    text: "1.0.0",
    epoch: (1, 0),
};

/// Compiles a component, and checks that it is a plugin of this kind.
pub(crate) fn compile(
    engine: &Engine,
    bytes: &[u8],
    kind: PluginKind,
) -> Result<Component, Problem> {
    check_header(bytes)?;
    let component = Component::from_binary(engine, bytes).map_err(Problem::Invalid)?;
    check_world(engine, &component, kind)?;
    Ok(component)
}

/// Tells the usual mistakes from a damaged component.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), Problem> {
    match bytes {
        [] => Err(Problem::Empty),
        [b'\0', b'a', b's', b'm', _, _, 0, 0, ..] => Err(Problem::CoreModule),
        [b'\0', b'a', b's', b'm', ..] => Ok(()),
        _ => Err(Problem::NotWasm),
    }
}

/// Checks the names of what goes in and out. That the types fit too is the linker's to say.
fn check_world(engine: &Engine, component: &Component, kind: PluginKind) -> Result<(), Problem> {
    let world = component.component_type();
    let exports: Vec<_> = world
        .exports(engine)
        .filter_map(|(name, _)| Interface::parse(name))
        .collect();
    check_exports(&exports, kind)?;
    for (name, _) in world.imports(engine) {
        let interface = Interface::parse(name).filter(|it| may_import(kind, it.name));
        interface
            .ok_or_else(|| Problem::Import(name.to_owned()))?
            .check_version()?;
    }
    Ok(())
}

fn check_exports(exports: &[Interface<'_>], kind: PluginKind) -> Result<(), Problem> {
    for required in ["plugin", export(kind)] {
        let interface = exports.iter().find(|interface| interface.name == required);
        interface
            .ok_or_else(|| wrong_world(exports, required))?
            .check_version()?;
    }
    Ok(())
}

fn wrong_world(exports: &[Interface<'_>], missing: &'static str) -> Problem {
    let other = find_kind(exports);
    let hint = other.map_or_else(String::new, |kind| format!(" (it is of the kind {kind})"));
    Problem::WrongWorld { missing, hint }
}

/// The kind of plugin that a component with these exports is.
pub(crate) fn kind(exports: &[String]) -> Result<PluginKind, Problem> {
    let interfaces: Vec<_> = exports
        .iter()
        .filter_map(|name| Interface::parse(name))
        .collect();
    find_kind(&interfaces).ok_or_else(|| Problem::WrongWorld {
        missing: "keyer",
        hint: " (nor `eviction`, nor `stats`)".to_owned(),
    })
}

fn find_kind(exports: &[Interface<'_>]) -> Option<PluginKind> {
    let kinds = [PluginKind::Keyer, PluginKind::Eviction, PluginKind::Stats];
    kinds
        .into_iter()
        .find(|&kind| exports.iter().any(|it| it.name == export(kind)))
}

/// The interface that makes a plugin one of this kind.
fn export(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Keyer => "keyer",
        PluginKind::Eviction => "eviction",
        PluginKind::Stats => "stats",
    }
}

fn may_import(kind: PluginKind, interface: &str) -> bool {
    match interface {
        "logging" => true,
        "http-request" => kind == PluginKind::Keyer,
        _ => false,
    }
}

/// An interface of the contract, as a component names it.
struct Interface<'a> {
    name: &'a str,
    version: Version<'a>,
}

impl<'a> Interface<'a> {
    /// `None` for what is not the contract's.
    fn parse(name: &'a str) -> Option<Self> {
        let (name, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
        Some(Self {
            name,
            version: Version::parse(version)?,
        })
    }

    fn check_version(&self) -> Result<(), Problem> {
        if self.version.epoch == VERSION.epoch {
            return Ok(());
        }
        let (found, spoken) = (self.version.text.to_owned(), VERSION.text.to_owned());
        Err(Problem::Version { found, spoken })
    }
}

/// A semantic version, and the part of it in which everything is compatible: the major number,
/// or below 1.0 the minor.
struct Version<'a> {
    text: &'a str,
    epoch: (u64, u64),
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        let epoch = match (numbers.next()?.ok()?, numbers.next()?.ok()?) {
            (0, minor) => (0, minor),
            (major, _) => (major, 0),
        };
        Some(Self { text, epoch })
    }
}
