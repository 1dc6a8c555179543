//! Plugins that keep an account of one cache: one instance, and a fresh one after a fault.

use std::sync::Arc;

use deja_cache::{Capacity, PolicyError};
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::blueprint::{Blueprint, Instance};
use crate::breaker::Size;
use crate::contract::{eviction, stats};
use crate::error::chain;
use crate::interface::Interface;
use crate::sandbox::Sandbox;
use crate::status::About;

/// An interface with a resource in which a plugin keeps its account.
pub(crate) trait Accounting: Interface {
    /// Opens an account of an empty cache.
    fn open(
        functions: &Self::Functions,
        store: &mut Store<Sandbox>,
        capacity: Capacity,
    ) -> wasmtime::Result<ResourceAny>;
}

impl Accounting for eviction::GuestIndices {
    fn open(
        functions: &Self::Functions,
        store: &mut Store<Sandbox>,
        capacity: Capacity,
    ) -> wasmtime::Result<ResourceAny> {
        functions.policy().call_constructor(store, capacity.into())
    }
}

impl Accounting for stats::GuestIndices {
    fn open(
        functions: &Self::Functions,
        store: &mut Store<Sandbox>,
        _capacity: Capacity,
    ) -> wasmtime::Result<ResourceAny> {
        functions.collector().call_constructor(store)
    }
}

/// A plugin and the account that it keeps.
pub(crate) struct Stateful<I: Accounting> {
    blueprint: Arc<Blueprint<I>>,
    about: Arc<About>,
    capacity: Capacity,
    /// `None` before the first call and after a fault.
    open: Option<Open<I>>,
}

struct Open<I: Accounting> {
    instance: Instance<I>,
    account: ResourceAny,
}

impl<I: Accounting> Stateful<I> {
    pub(crate) fn new(
        blueprint: impl Into<Arc<Blueprint<I>>>,
        about: Arc<About>,
        capacity: Capacity,
    ) -> Self {
        Self {
            blueprint: blueprint.into(),
            about,
            capacity,
            open: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.about.name
    }

    /// Calls the plugin about its account. After a fault the account is lost, and the next call
    /// finds an empty one.
    pub(crate) fn call<R>(
        &mut self,
        call: impl FnOnce(&I::Functions, &mut Store<Sandbox>, ResourceAny) -> wasmtime::Result<R>,
    ) -> Result<R, PolicyError> {
        let _counted = self.about.begin_call(|| Size::FIRST)?;
        if self.open.is_none() {
            let opened = self.open();
            let failed = |message: String| self.about.failed(&message, Size::FIRST);
            self.open = Some(opened.map_err(failed)?);
        }
        let open = self.open.as_mut().expect("it was opened");
        let account = open.account;
        let result = open
            .instance
            .call(|functions, store| call(&functions.interface, store, account));
        match result {
            Ok(result) => {
                self.about.succeeded(|| Size::FIRST);
                Ok(result)
            }
            Err(fault) => {
                self.open = None;
                Err(self.about.failed(&chain(&fault), Size::FIRST))
            }
        }
    }

    /// Drops the account: the next call finds an empty one.
    pub(crate) fn forget(&mut self) {
        self.open = None;
    }

    /// Bytes of memory that the instance holds.
    pub(crate) fn memory_bytes(&self) -> usize {
        let open = self.open.as_ref();
        open.map_or(0, |open| open.instance.store.data().memory_bytes())
    }

    /// What was wrong with the last answer that was of no use.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.about.status(None).last_error
    }

    /// Counts an answer that came, and is of no use.
    pub(crate) fn useless(&self, message: &str) -> PolicyError {
        self.about.useless(message)
    }

    fn open(&self) -> Result<Open<I>, String> {
        let mut instance = self
            .blueprint
            .instantiate()
            .map_err(|problem| chain(&problem))?;
        let account = instance
            .call(|functions, store| I::open(&functions.interface, store, self.capacity))
            .map_err(|fault| chain(&fault))?;
        Ok(Open { instance, account })
    }
}
