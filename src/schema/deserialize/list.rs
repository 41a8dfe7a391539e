//! Lists.

use std::marker::PhantomData;

use serde::de::{Deserializer, SeqAccess, Visitor};

use super::context::DeserializeContext;
use super::from_document::{FromDocument, Seed};
use super::visitor::reject_non_lists;

impl<T: FromDocument> FromDocument for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let mut items = Self::new();
        let is_valid = for_each_item(input, context, |item| items.push(item))?;
        Ok(is_valid.then_some(items))
    }
}

/// Reads a list and passes each valid item to `consume`, so that the whole list need not be in memory.
///
/// Returns `true` if the input is a list and all items are valid.
///
/// # Errors
/// Returns an error if the document is not well-formed.
pub fn for_each_item<'de, T: FromDocument, D: Deserializer<'de>>(
    input: D,
    context: &mut DeserializeContext,
    consume: impl FnMut(T),
) -> Result<bool, D::Error> {
    let is_valid = input.deserialize_any(ListVisitor(context, consume, PhantomData))?;
    Ok(is_valid.unwrap_or(false))
}

struct ListVisitor<'a, T, F>(&'a mut DeserializeContext, F, PhantomData<T>);

impl<'de, T: FromDocument, F: FnMut(T)> Visitor<'de> for ListVisitor<'_, T, F> {
    /// Whether all items are valid; `None` if the input is not a list.
    type Value = Option<bool>;
    reject_non_lists!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Self(context, mut consume, _) = self;
        let mut is_valid = true;
        for index in 0_usize.. {
            match context.descend(index, |context| list.next_element_seed(Seed::<T>::new(context)))? {
                Some(Some(item)) => consume(item),
                Some(None) => is_valid = false,
                None => break,
            }
        }
        Ok(Some(is_valid))
    }
}
