//! From bytes to compiled code that is known to be a plugin of its kind.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::Problem;
use crate::settings::PluginKind;
use crate::wasi;

/// The package of the contract.
const PACKAGE: &str = "deja:policy/";

/// The contract's version that this host speaks.
const SPOKEN: &str = "1.0.0";

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
    let imports = world.imports(engine).map(|(name, _)| name);
    for name in imports.filter(|name| !wasi::is_wasi(name)) {
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
        let spoken = Version::parse(SPOKEN).expect("the host's own version is one");
        if spoken.runs(&self.version) {
            return Ok(());
        }
        Err(Problem::Version {
            found: self.version.text.to_owned(),
            spoken: SPOKEN.to_owned(),
        })
    }
}

/// A semantic version; which patch of it makes no difference.
struct Version<'a> {
    text: &'a str,
    major: u64,
    minor: u64,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        Some(Self {
            text,
            major: numbers.next()?.ok()?,
            minor: numbers.next()?.ok()?,
        })
    }

    /// Whether a host of this version runs a guest of another: what a minor version adds, one built
    /// for an earlier does not miss. Below 1.0 every minor version is another contract.
    fn runs(&self, guest: &Self) -> bool {
        let same_contract = self.major == guest.major && guest.minor <= self.minor;
        same_contract && (self.major > 0 || self.minor == guest.minor)
    }
}

#[cfg(test)]
mod tests {
    use deja_guests::keyer_for;
    use wasmtime::component::types::ComponentItem;
    use wasmtime::component::{Linker, ResourceType};
    use wasmtime::{Config, Store};

    use super::*;

    #[test]
    fn a_host_runs_guests_of_its_own_and_of_earlier_minor_versions() {
        let runs = |host, guest| {
            let [host, guest] = [host, guest].map(|text| Version::parse(text).expect("is one"));
            host.runs(&guest)
        };
        assert!(runs("1.0.0", "1.0.0") && runs("1.0.0", "1.0.7") && runs("1.1.0", "1.0.3"));
        assert!(!runs("1.0.0", "1.1.0") && !runs("1.0.0", "2.0.0") && !runs("2.0.0", "1.0.0"));
        assert!(runs("0.2.0", "0.2.4") && !runs("0.2.0", "0.1.0"));
    }

    /// The linker's part in it: it finds by version what is compatible.
    #[test]
    fn a_guest_finds_the_interfaces_of_a_later_minor_version() {
        let mut config = Config::new();
        let engine = Engine::new(config.wasm_component_model(true)).expect("starts");
        let guest = Component::from_binary(&engine, &keyer_for("1.0.0")).expect("compiles");
        let mut linker = Linker::<()>::new(&engine);
        for (name, import) in guest.component_type().imports(&engine) {
            let ComponentItem::ComponentInstance(interface) = import.ty else {
                panic!("`{name}` is no interface")
            };
            let later = name.replace("@1.0.0", "@1.1.0");
            let mut later = linker.instance(&later).expect("is new");
            for (name, item) in interface.exports(&engine) {
                let defined = match item.ty {
                    ComponentItem::ComponentFunc(_) => later.func_new(name, |_, _, _, _| Ok(())),
                    ComponentItem::Resource(_) => {
                        later.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))
                    }
                    _ => Ok(()),
                };
                defined.expect("is new");
            }
        }
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &guest).expect("finds all");
        let later = instance.get_export_index(&mut store, None, "deja:policy/keyer@1.1.0");
        assert!(later.is_some(), "and is found itself");
    }
}
