//! LRS's notation of scalars.

use std::borrow::Cow;

use crate::domain::{Date, Uln};
use crate::schema::Scalar;

/// A scalar that has a notation of its own at LRS.
pub trait FromLrs: Scalar {
    /// Parses LRS's notation; `None` if the text is not documented.
    fn from_lrs(text: &str) -> Option<Self>;

    /// Returns LRS's notation.
    fn to_lrs(&self) -> Cow<'_, str>;
}

/// Implements [`FromLrs`] for scalars that LRS and JSON write in the same way.
macro_rules! same_notation_at_lrs {
    ($($t:ty),*) => {$(
        impl FromLrs for $t {
            fn from_lrs(text: &str) -> Option<Self> {
                Self::parse(text).ok()
            }

            fn to_lrs(&self) -> Cow<'_, str> {
                self.text()
            }
        }
    )*};
}
same_notation_at_lrs!(Uln, Date);
