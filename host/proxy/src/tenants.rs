//! Places that one tenant has taken: running requests, or fetches.

use std::{collections::HashMap, sync::Arc};

use deja_cache::Tenant;
use parking_lot::Mutex;

/// Counts the places of each tenant. Clones count together.
#[derive(Clone, Default)]
pub(crate) struct TenantPlaces(Arc<Mutex<HashMap<Tenant, usize>>>);

/// A tenant's place. Its drop gives it back.
pub(crate) struct TenantPlace {
    places: TenantPlaces,
    tenant: Tenant,
}

impl TenantPlaces {
    /// Takes a place, if the tenant has fewer than `limit`.
    pub(crate) fn take(&self, tenant: Tenant, limit: usize) -> Option<TenantPlace> {
        let mut places = self.0.lock();
        let taken = places.entry(tenant).or_default();
        if *taken >= limit {
            return None;
        }
        *taken += 1;
        Some(TenantPlace {
            places: self.clone(),
            tenant,
        })
    }
}

impl Drop for TenantPlace {
    fn drop(&mut self) {
        let mut places = self.places.0.lock();
        let left = places.get_mut(&self.tenant).map(|taken| {
            *taken -= 1;
            *taken
        });
        if left == Some(0) {
            places.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_places_of_its_own() {
        let places = TenantPlaces::default();
        let [ada, bob] = ["ada", "bob"].map(|name| Tenant::of([name.as_bytes()]));
        let first = places.take(ada, 1).expect("there is a place");
        assert!(places.take(ada, 1).is_none());
        let _other = places.take(bob, 1).expect("there is a place");
        drop(first);
        places.take(ada, 1).expect("the place was given back");
        assert_eq!(places.0.lock().len(), 1, "who has none is not counted");
    }
}
