//! The interfaces of which each makes a plugin one of its kind.

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::contract::{eviction, keyer, stats};
use crate::sandbox::Sandbox;
use crate::settings::PluginKind;

/// The interface that makes a plugin one of this kind.
pub(crate) trait Interface: Sized {
    const KIND: PluginKind;

    /// Its functions in one instance.
    type Functions;

    /// Finds it in a component.
    fn find(component: &InstancePre<Sandbox>) -> wasmtime::Result<Self>;

    /// Finds its functions in an instance of that component.
    fn functions(
        &self,
        store: &mut Store<Sandbox>,
        instance: &Instance,
    ) -> wasmtime::Result<Self::Functions>;
}

macro_rules! implement {
    ($module:ident, $kind:ident) => {
        impl Interface for $module::GuestIndices {
            const KIND: PluginKind = PluginKind::$kind;
            type Functions = $module::Guest;

            fn find(component: &InstancePre<Sandbox>) -> wasmtime::Result<Self> {
                Self::new(component)
            }

            fn functions(
                &self,
                store: &mut Store<Sandbox>,
                instance: &Instance,
            ) -> wasmtime::Result<Self::Functions> {
                self.load(store, instance)
            }
        }
    };
}

implement!(keyer, Keyer);
implement!(eviction, Eviction);
implement!(stats, Stats);
