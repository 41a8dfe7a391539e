//! Lists.

use std::marker::PhantomData;

use serde::de::{Deserializer, SeqAccess};

use super::context::DeserializeContext;
use super::from_document::{FromDocument, Seed};
use super::outline::Outline;
use super::value::{Accept, read_value};

impl<T: FromDocument> FromDocument for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let mut items = Self::new();
        let is_valid = for_each_item(input, context, |item, _| items.push(item))?;
        Ok(is_valid.then_some(items))
    }

    fn outline(outline: &mut Outline) {
        outline.add_items(T::outline);
    }
}

/// Reads a list and passes each valid item to `consume`, so that the whole list need not be in memory. The context is that of the item.
///
/// Returns `true` if the input is a list and all items are valid.
///
/// # Errors
/// Returns an error if the document is not well-formed.
pub fn for_each_item<'de, T: FromDocument, D: Deserializer<'de>>(
    input: D,
    context: &mut DeserializeContext,
    consume: impl FnMut(T, &mut DeserializeContext),
) -> Result<bool, D::Error> {
    let is_valid = read_value(input, context, Items::new(consume))?;
    Ok(is_valid.unwrap_or(false))
}

/// Reads the items of a list and passes each valid one to a function.
pub(super) struct Items<T, F>(F, PhantomData<T>);

impl<T, F: FnMut(T, &mut DeserializeContext)> Items<T, F> {
    pub(super) const fn new(consume: F) -> Self {
        Self(consume, PhantomData)
    }
}

impl<'de, T: FromDocument, F: FnMut(T, &mut DeserializeContext)> Accept<'de> for Items<T, F> {
    /// Whether all items are valid.
    type Value = bool;
    const EXPECTED: &'static str = "must be a list";

    fn list<A: SeqAccess<'de>>(mut self, mut list: A, context: &mut DeserializeContext) -> Result<Option<bool>, A::Error> {
        let mut is_valid = true;
        for index in 0_usize.. {
            let has_item = context.descend(index, |context| {
                let item = list.next_element_seed(Seed::<T>::new(context))?;
                let has_item = item.is_some();
                match item {
                    Some(Some(item)) => (self.0)(item, context),
                    Some(None) => {
                        context.explain_null("must not be null; remove the item from the list");
                        is_valid = false;
                    }
                    None => {}
                }
                Ok(has_item)
            })?;
            if !has_item {
                break;
            }
            if let Some(canonical) = &mut context.canonical {
                canonical.end_item();
            }
        }
        Ok(Some(is_valid))
    }
}
