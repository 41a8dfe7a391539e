//! Settings whose keys operators choose.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::de::{Deserializer, MapAccess};

use super::context::DeserializeContext;
use super::from_document::{FromDocument, Seed};
use super::value::{Accept, read_value};
use crate::schema::{SettingType, SettingValues};

impl<T: FromDocument> FromDocument for BTreeMap<String, T> {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        read_value(input, context, Entries(PhantomData))
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: FromDocument> Accept<'de> for Entries<T> {
    type Value = BTreeMap<String, T>;
    const EXPECTED: &'static str = "must be a table";

    fn object<A: MapAccess<'de>>(self, mut entries: A, context: &mut DeserializeContext) -> Result<Option<Self::Value>, A::Error> {
        let (mut map, mut is_valid) = (BTreeMap::new(), true);
        while let Some(key) = entries.next_key::<String>()? {
            match context.descend(&key, |context| entries.next_value_seed(Seed::<T>::new(context)))? {
                Some(value) => drop(map.insert(key, value)),
                None => is_valid = false,
            }
        }
        Ok(is_valid.then_some(map))
    }
}

impl<T: SettingType> SettingType for BTreeMap<String, T> {
    fn values() -> SettingValues {
        match T::values() {
            SettingValues::Text(text) => SettingValues::Text(format!("table with keys of your own: {text}")),
            values => values,
        }
    }
}
