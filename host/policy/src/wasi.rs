//! An empty WASI 0.2, for guests whose toolchain cannot do without: those in JavaScript and Python.
//!
//! No files, no environment, no network, a clock that stands still, and in every instance the same
//! random numbers, so that decisions can be repeated. What is written goes to the plugin's log;
//! nothing ever waits. What is not answered here traps when it is called.
//!
//! Not by `wasmtime-wasi`: the time that it waits on a guest's behalf is not bounded by the call's
//! deadline, nor the memory that it holds by the instance's limit.

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{
    Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType,
};
use wasmtime::{Engine, Result, StoreContextMut, bail};

use crate::contract::logging::Level;
use crate::sandbox::Sandbox;

/// The time by every clock: a second after its beginning.
const NOW: Moment = Moment {
    seconds: 1,
    nanoseconds: 0,
};

/// Bytes that a stream takes at once.
const WRITABLE: u64 = 64 << 10;

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Whether an import is one of WASI's.
pub(crate) fn is_wasi(import: &str) -> bool {
    import.starts_with("wasi:") && import.contains("@0.2.")
}

/// Whether a component imports anything of WASI.
pub(crate) fn is_wanted_by(component: &Component, engine: &Engine) -> bool {
    let world = component.component_type();
    world.imports(engine).any(|(name, _)| is_wasi(name))
}

/// Answers what a component imports of WASI, under the very versions that it names.
pub(crate) fn answer(linker: &mut Linker<Sandbox>, component: &Component) -> Result<()> {
    let engine = linker.engine().clone();
    let world = component.component_type();
    for (name, import) in world.imports(&engine).filter(|(name, _)| is_wasi(name)) {
        let ComponentItem::ComponentInstance(interface) = import.ty else {
            bail!("`{name}` is not an interface");
        };
        Interface::of(name).answer(&engine, &mut linker.instance(name)?, &interface)?;
    }
    Ok(())
}

/// Every resource of WASI: they hold nothing, and a number tells streams apart.
struct Nothing;

/// The interfaces of which something is answered.
enum Interface {
    MonotonicClock,
    WallClock,
    Random,
    Poll,
    Streams,
    Other,
}

impl Interface {
    fn of(import: &str) -> Self {
        match import.split('@').next() {
            Some("wasi:clocks/monotonic-clock") => Self::MonotonicClock,
            Some("wasi:clocks/wall-clock") => Self::WallClock,
            Some("wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed") => {
                Self::Random
            }
            Some("wasi:io/poll") => Self::Poll,
            Some("wasi:io/streams") => Self::Streams,
            _ => Self::Other,
        }
    }

    fn answer(
        &self,
        engine: &Engine,
        linker: &mut LinkerInstance<'_, Sandbox>,
        imported: &ComponentInstance,
    ) -> Result<()> {
        for (name, item) in imported.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    linker.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => self.answer_function(linker, name)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn answer_function(&self, linker: &mut LinkerInstance<'_, Sandbox>, name: &str) -> Result<()> {
        match self {
            Self::MonotonicClock => monotonic_clock(linker, name),
            Self::WallClock => wall_clock(linker, name),
            Self::Random => random(linker, name),
            Self::Poll => poll(linker, name),
            Self::Streams => streams(linker, name),
            Self::Other => surroundings(linker, name),
        }
    }
}

/// No arguments, no environment, no folders, no terminal; streams to the log.
fn surroundings(linker: &mut LinkerInstance<'_, Sandbox>, name: &str) -> Result<()> {
    match name {
        "get-environment" => linker.func_wrap(name, |_, ()| Ok((Vec::<(String, String)>::new(),))),
        "get-arguments" => linker.func_wrap(name, |_, ()| Ok((Vec::<String>::new(),))),
        "initial-cwd" => linker.func_wrap(name, |_, ()| Ok((None::<String>,))),
        "get-directories" => linker.func_wrap(name, |_, ()| {
            Ok((Vec::<(Resource<Nothing>, String)>::new(),))
        }),
        "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr" => {
            linker.func_wrap(name, |_, ()| Ok((None::<Resource<Nothing>>,)))
        }
        "get-stdin" => resource(linker, name, STDIN),
        "get-stdout" => resource(linker, name, STDOUT),
        "get-stderr" => resource(linker, name, STDERR),
        _ => absent(linker, name),
    }
}

fn monotonic_clock(linker: &mut LinkerInstance<'_, Sandbox>, name: &str) -> Result<()> {
    match name {
        "now" | "resolution" => linker.func_wrap(name, |_, ()| Ok((NOW.seconds * 1_000_000_000,))),
        "subscribe-instant" | "subscribe-duration" => {
            linker.func_wrap(name, |_, _: (u64,)| Ok((Resource::<Nothing>::new_own(0),)))
        }
        _ => absent(linker, name),
    }
}

fn wall_clock(linker: &mut LinkerInstance<'_, Sandbox>, name: &str) -> Result<()> {
    match name {
        "now" | "resolution" => linker.func_wrap(name, |_, ()| Ok((NOW,))),
        _ => absent(linker, name),
    }
}

fn random(linker: &mut LinkerInstance<'_, Sandbox>, name: &str) -> Result<()> {
    type Host<'a> = StoreContextMut<'a, Sandbox>;
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => linker
            .func_wrap(name, |mut host: Host<'_>, (count,): (u64,)| {
                Ok((host.data_mut().random_bytes(count)?,))
            }),
        "get-random-u64" | "get-insecure-random-u64" => linker
            .func_wrap(name, |mut host: Host<'_>, ()| {
                Ok((host.data_mut().random_number(),))
            }),
        "insecure-seed" => linker.func_wrap(name, |_, ()| Ok(((0_u64, 0_u64),))),
        _ => absent(linker, name),
    }
}

/// Whatever is waited for is there at once.
fn poll(linker: &mut LinkerInstance<'_, Sandbox>, name: &str) -> Result<()> {
    match name {
        "[method]pollable.ready" => {
            linker.func_wrap(name, |_, _: (Resource<Nothing>,)| Ok((true,)))
        }
        "[method]pollable.block" => linker.func_wrap(name, |_, _: (Resource<Nothing>,)| Ok(())),
        "poll" => linker.func_wrap(name, |_, (all,): (Vec<Resource<Nothing>>,)| {
            let indices: Vec<u32> = (0..).take(all.len()).collect();
            Ok((indices,))
        }),
        _ => absent(linker, name),
    }
}

/// There is nothing to read, and every writing is a line of the log.
fn streams(linker: &mut LinkerInstance<'_, Sandbox>, name: &str) -> Result<()> {
    type Stream = (Resource<Nothing>,);
    type Write = (Resource<Nothing>, Vec<u8>);
    match name {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => linker
            .func_wrap(name, |_, _: (Resource<Nothing>, u64)| {
                Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
            }),
        "[method]input-stream.subscribe" | "[method]output-stream.subscribe" => {
            linker.func_wrap(name, |_, _: Stream| Ok((Resource::<Nothing>::new_own(0),)))
        }
        "[method]output-stream.check-write" => {
            linker.func_wrap(name, |_, _: Stream| Ok((Ok::<_, StreamError>(WRITABLE),)))
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            linker.func_wrap(name, |_, _: Stream| Ok((Ok::<(), StreamError>(()),)))
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => linker
            .func_wrap(name, |host, (stream, bytes): Write| {
                print(&host, &stream, &bytes);
                Ok((Ok::<(), StreamError>(()),))
            }),
        _ => absent(linker, name),
    }
}

fn print(host: &StoreContextMut<'_, Sandbox>, stream: &Resource<Nothing>, bytes: &[u8]) {
    let level = if stream.rep() == STDERR {
        Level::Warn
    } else {
        Level::Info
    };
    host.data().print(level, &String::from_utf8_lossy(bytes));
}

fn resource(linker: &mut LinkerInstance<'_, Sandbox>, name: &str, number: u32) -> Result<()> {
    linker.func_wrap(name, move |_, ()| {
        Ok((Resource::<Nothing>::new_own(number),))
    })
}

/// A function that nobody should need.
fn absent(linker: &mut LinkerInstance<'_, Sandbox>, name: &str) -> Result<()> {
    let message = format!("there is no `{name}` in the empty WASI");
    linker.func_new(name, move |_, _, _, _| bail!("{message}"))
}

/// WASI's `datetime`.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Moment {
    seconds: u64,
    nanoseconds: u32,
}

/// WASI's `stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<Nothing>),
    #[component(name = "closed")]
    Closed,
}
